mod contract;
mod ears;
mod forms;
mod harness;
mod page;
mod routes;
mod submissions;
mod tasks;
