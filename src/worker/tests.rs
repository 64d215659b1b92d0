mod subscriber;
mod ways;
mod world;
