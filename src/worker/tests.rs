mod commands;
mod repeats;
mod restart;
mod subscriber;
mod ways;
mod world;
