//! Parameters of a slot held against a constructor that says all that it takes.

use crate::{Code, Description, Error, Map, Phase, Place, Results, Text, misfit, nearest};

/// What of `params` the module would not take: names that it does not know, values of another type, and what
/// must be given and is not. `injected` are given otherwise. A module that does not say what it takes takes anything.
pub fn check_params(description: &Description, params: &Map, injected: &[Text]) -> Vec<Error> {
    let Some(constructor) = &description.constructor else { return Vec::new() };
    let module = description.name.as_str();
    let bad = |name: &str, message: String, hint: String| {
        let error = Error::new(Code::BadParams, message).hint(hint).phase(Phase::Check).module(module);
        match description.files.first() {
            Some(file) => {
                error.place(Place { key: Some(format!("params.{name}")), ..Place::file(file.as_path()) })
            }
            None => error,
        }
    };
    let names = || constructor.params.iter().map(|param| param.name.as_str());
    let mut errors = Vec::new();
    let mut misspelt = Vec::new();
    for name in params.keys().filter(|name| !names().any(|known| known == name.as_str())) {
        let near = nearest(name, names());
        misspelt.extend(near);
        let hint = match (near, constructor.params.is_empty()) {
            (Some(near), _) => format!("Did you mean `{near}`?"),
            (None, true) => "It takes no parameters; take `params` away".to_owned(),
            (None, false) => {
                format!("It takes {}", names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
            }
        };
        errors.push(bad(name, format!("`{module}` takes no parameter `{name}`"), hint));
    }
    for param in &constructor.params {
        let (name, ty) = (param.name.as_str(), &param.ty);
        match params.get(name) {
            Some(value) => {
                if let Some(found) = misfit(ty, value, Results::Converted) {
                    let message =
                        format!("The parameter `{name}` of `{module}` is `{ty}`, but is given {found}");
                    errors.push(bad(name, message, format!("Give `{name}` a value that is `{ty}`")));
                }
            }
            None if param.is_required()
                && !misspelt.contains(&name)
                && !injected.iter().any(|need| need.as_str() == name) =>
            {
                let message = format!("`{module}` must be given the parameter `{name}`");
                errors.push(bad(name, message, format!("Add `{name}` ({ty}) to `params`")));
            }
            None => {}
        }
    }
    errors
}
