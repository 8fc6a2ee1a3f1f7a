//! Greets people: `greeter.py`, in Rust.

use modrack::Params;

/// Greets in one of several ways.
pub struct Greeter {
    greeting: String,
}

/// How people are greeted.
#[derive(Params)]
pub struct Settings {
    /// What is said before the name.
    #[param(default = "Hello")]
    greeting: String,
}

/// Greets in one of several ways.
#[modrack::module]
impl Greeter {
    pub fn create(settings: Settings) -> Self {
        Self { greeting: settings.greeting }
    }

    /// One person.
    pub fn greet(&self, name: &str) -> String {
        format!("{}, {name}!", self.greeting)
    }

    /// Several people, in order.
    pub fn greet_all(&self, names: Vec<String>) -> Vec<String> {
        names.iter().map(|name| self.greet(name)).collect()
    }
}
