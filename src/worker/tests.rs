mod commands;
mod full;
mod lines;
mod repeats;
mod restart;
mod subscriber;
mod ways;
mod world;
