//! What a request's path names: a slot, a function, a hash.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use crate::serve::answer::Refusal;

/// The texts that stand in the places of a path.
#[derive(Debug)]
pub(crate) struct Named<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let named: Result<Path<T>, PathRejection> = Path::from_request_parts(parts, state).await;
        match named {
            Ok(Path(named)) => Ok(Self(named)),
            Err(why) => {
                let message = format!("The path `{}` cannot be read: {}", parts.uri.path(), why.body_text());
                Err(Refusal::new(why.status(), Refusal::bad(message).error))
            }
        }
    }
}
