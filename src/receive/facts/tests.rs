//! Given this body, then these facts.
