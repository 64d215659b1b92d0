mod commands;
mod full;
mod repeats;
mod restart;
mod subscriber;
mod ways;
mod world;
