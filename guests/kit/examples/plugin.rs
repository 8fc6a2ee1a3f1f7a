//! A plugin of any number of arguments.

/// Gives the first of its arguments.
#[modrack::module(contract = "plugin@1")]
mod plugin {
    use modrack::{Result, Value, bail};

    /// However many there are.
    pub fn execute(args: Vec<Value>) -> Result<Value> {
        let Some(first) = args.into_iter().next() else { bail!("It takes at least one argument") };
        Ok(first)
    }
}
