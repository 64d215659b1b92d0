mod commands;
mod gaps;
mod repeats;
mod restart;
mod subscriber;
mod ways;
mod world;
