mod opening;
mod patches;
mod presence;
mod reauth;
mod sessions;
mod simulation;
mod stage;
