mod contract;
mod harness;
mod routes;
