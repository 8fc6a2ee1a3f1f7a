//! Who may ask for what. Held before anything else of a request is looked at.
//!
//! A page in a browser can send requests to a server on the same machine, under a name of its own that leads there. So a
//! request over TCP names one of the server's own names as `Host`, comes from no other site, and posts JSON, which no page may do
//! without asking first. What changes the rack needs the token, or the socket, which only the server's user can open.

use std::net::IpAddr;
use std::net::SocketAddr;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use modrack_core::{Code, Error};

use crate::serve::answer::Refusal;
use crate::serve::token::Token;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The way by which a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Via {
    /// The TCP address.
    Tcp,
    /// The socket in the state folder, by a process of the same user.
    Socket,
}

/// One for each way: who comes by the one takes nothing from who comes by the other.
#[derive(Debug)]
pub(crate) struct Apart<T> {
    tcp: T,
    socket: T,
}

impl<T> Apart<T> {
    /// Two that `make` gives.
    pub(crate) fn new(make: impl Fn() -> T) -> Self {
        Self { tcp: make(), socket: make() }
    }

    /// That of this way.
    pub(crate) fn of(&self, via: Via) -> &T {
        match via {
            Via::Tcp => &self.tcp,
            Via::Socket => &self.socket,
        }
    }
}

/// What is held against requests.
#[derive(Debug)]
pub(crate) struct Access {
    address: SocketAddr,
    /// Further names by which the server is known.
    names: Vec<String>,
    token: Option<Token>,
}

impl Access {
    /// For a server at this address, with these names beside it; without a token nothing can be changed over TCP.
    pub(crate) fn new(address: SocketAddr, names: &[String], token: Option<Token>) -> Self {
        let names = names.iter().map(|name| name.to_ascii_lowercase()).collect();
        Self { address, names, token }
    }

    /// Whether a request is looked at at all.
    ///
    /// # Errors
    /// Why it is not.
    pub(crate) fn admit(
        &self,
        via: Via,
        method: &Method,
        uri: &Uri,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        if via == Via::Tcp {
            self.is_ours(uri, headers)?;
            if !self.address.ip().is_loopback() {
                self.permit(via, headers)?;
            }
        }
        if method == Method::POST && !is_json(headers) {
            let message = "What is posted must have the header `Content-Type: application/json`";
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                Error::new(Code::BadRequest, message),
            )
            .hint("With curl: `-H 'Content-Type: application/json'`"));
        }
        Ok(())
    }

    /// Whether whoever asks may change the rack.
    ///
    /// # Errors
    /// That the token is missing, or is another one.
    pub(crate) fn permit(&self, via: Via, headers: &HeaderMap) -> Result<(), Refusal> {
        if via == Via::Socket {
            return Ok(());
        }
        let Some(token) = &self.token else {
            return Err(refused(
                StatusCode::FORBIDDEN,
                "This needs a token, and the rack has no state folder that holds one",
            )
            .hint("Give the rack a state folder with `state:` or `MODRACK_STATE`"));
        };
        let shown = headers.get(AUTHORIZATION).map(|value| value.as_bytes());
        match shown.map(bearer) {
            Some(Some(shown)) if token.is(shown) => Ok(()),
            Some(_) => Err(refused(StatusCode::UNAUTHORIZED, "The token is not that of this server")
                .hint("A server makes a new one at each start: read `token` in the state folder again")),
            None => Err(refused(StatusCode::UNAUTHORIZED, "This needs the server's token").hint(
                "Send `Authorization: Bearer TOKEN` with what stands in `token` in the state folder, or use \
                 the socket there",
            )),
        }
    }

    /// Whether the request was meant for this server, and comes from no other site.
    fn is_ours(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Refusal> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        let one = hosts.next().is_none();
        let named = |host: &str| host.parse::<Authority>().ok().filter(|_| !host.contains('@'));
        let Some(authority) = host.filter(|_| one).and_then(named) else {
            return Err(refused(StatusCode::FORBIDDEN, "The header `Host` is missing, or is none"));
        };
        for name in uri.host().into_iter().chain([authority.host()]) {
            if !self.has_name(name) {
                let message = format!("This server is not called `{name}`");
                return Err(refused(StatusCode::FORBIDDEN, &message)
                    .hint("Use the address that it listens on, or start it with `--host NAME`"));
            }
        }
        let same = |origin: &[u8]| {
            let origin = std::str::from_utf8(origin).ok().and_then(|origin| origin.strip_prefix("http://"));
            origin.is_some_and(|origin| origin.eq_ignore_ascii_case(authority.as_str()))
        };
        let from_elsewhere = headers.get_all(ORIGIN).iter().any(|origin| !same(origin.as_bytes()))
            || headers
                .get_all(SEC_FETCH_SITE)
                .iter()
                .any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
        if from_elsewhere {
            return Err(refused(StatusCode::FORBIDDEN, "A page of another site has asked for this"));
        }
        Ok(())
    }

    fn has_name(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(&name);
        let bound = self.address.ip();
        let fits = match bare.parse::<IpAddr>() {
            Ok(address) => {
                bound.is_unspecified() || address == bound || bound.is_loopback() && address.is_loopback()
            }
            Err(_) => name == "localhost" && (bound.is_loopback() || bound.is_unspecified()),
        };
        fits || self.names.contains(&name)
    }
}

fn refused(status: StatusCode, message: &str) -> Refusal {
    Refusal::new(status, Error::new(Code::RequestRefused, message))
}

/// The token that `Authorization: Bearer` shows.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

fn is_json(headers: &HeaderMap) -> bool {
    let Some(Ok(media)) = headers.get(CONTENT_TYPE).map(|value| value.to_str()) else { return false };
    media.split(';').next().is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        lines.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    fn check(address: &str, uri: &str, lines: &[(&'static str, &str)], wanted: Option<u16>) {
        let access =
            Access::new(address.parse().unwrap(), &["Rack.example".to_owned()], Some(Token::new().unwrap()));
        let uri: Uri = uri.parse().unwrap();
        let got = access.is_ours(&uri, &headers(lines));
        assert_eq!(got.map_err(|refusal| refusal.status.as_u16()).err(), wanted, "{address} {uri} {lines:?}");
    }

    #[test]
    fn a_request_names_the_server_and_comes_from_no_other_site() {
        let here = "127.0.0.1:7411";
        for host in
            ["127.0.0.1:7411", "localhost:7411", "LOCALHOST", "[::1]:80", "127.0.0.2", "rack.example:1"]
        {
            check(here, "/", &[("host", host)], None);
        }
        for host in ["evil.example:7411", "10.0.0.1", "a@localhost", "", "localhost.evil.example", "[::1"] {
            check(here, "/", &[("host", host)], Some(403));
        }
        check(here, "/", &[], Some(403));
        check(here, "/", &[("host", "localhost"), ("host", "localhost")], Some(403));
        check(here, "http://evil.example/", &[("host", "localhost")], Some(403));
        for (bound, host, wanted) in [
            ("10.0.0.1:80", "10.0.0.1", None),
            ("10.0.0.1:80", "localhost", Some(403)),
            ("0.0.0.0:80", "10.9.9.9:8080", None),
            ("[::]:80", "localhost", None),
            ("0.0.0.0:80", "evil.example", Some(403)),
        ] {
            check(bound, "/", &[("host", host)], wanted);
        }
        for (name, value, wanted) in [
            ("origin", "http://localhost:7411", None),
            ("origin", "http://localhost:7412", Some(403)),
            ("origin", "https://localhost:7411", Some(403)),
            ("origin", "null", Some(403)),
            ("origin", "http://evil.example", Some(403)),
            ("sec-fetch-site", "same-origin", None),
            ("sec-fetch-site", "none", None),
            ("sec-fetch-site", "same-site", Some(403)),
            ("sec-fetch-site", "cross-site", Some(403)),
        ] {
            check(here, "/", &[("host", "localhost:7411"), (name, value)], wanted);
        }
    }

    #[test]
    fn the_token_is_shown_as_bearer() {
        let token = Token::new().unwrap();
        let text = token.text().to_owned();
        let access = Access::new("127.0.0.1:1".parse().unwrap(), &[], Some(token));
        let permitted = |value: &str| access.permit(Via::Tcp, &headers(&[("authorization", value)])).is_ok();
        assert!(permitted(&format!("Bearer {text}")));
        assert!(permitted(&format!("bearer  {text} ")));
        for wrong in ["Bearer", "Bearer ", "Basic x", &text, &format!("Bearer {text}x")] {
            assert!(!permitted(wrong), "{wrong}");
        }
        assert!(access.permit(Via::Tcp, &HeaderMap::new()).is_err());
        assert!(access.permit(Via::Socket, &HeaderMap::new()).is_ok());
        let none = Access::new("127.0.0.1:1".parse().unwrap(), &[], None);
        assert!(none.permit(Via::Tcp, &headers(&[("authorization", "Bearer ")])).is_err());
    }

    #[test]
    fn what_is_posted_is_json() {
        for (media, wanted) in [
            ("application/json", true),
            ("Application/JSON; charset=utf-8", true),
            ("text/plain", false),
            ("application/x-www-form-urlencoded", false),
            ("text/plain; application/json", false),
        ] {
            assert_eq!(is_json(&headers(&[("content-type", media)])), wanted, "{media}");
        }
        assert!(!is_json(&HeaderMap::new()));
    }
}
