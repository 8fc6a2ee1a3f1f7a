//! What a slot's `allow` opens: folders, variables of the environment, hosts.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use modrack_core::plan::Allow;
use modrack_core::{Code, Error, Phase, Result, Start};
use wasmtime::StoreContextMut;
use wasmtime::component::{Linker, Resource};
use wasmtime_wasi::p2::Network;
use wasmtime_wasi::p2::bindings::sockets::ip_name_lookup::{Host as _, ResolveAddressStream};
use wasmtime_wasi::p2::bindings::sockets::network::ErrorCode;
use wasmtime_wasi::runtime::spawn_blocking;
use wasmtime_wasi::sockets::{SocketAddrUse, WasiSocketsView};
use wasmtime_wasi::{FsPerms, WasiCtxBuilder};

use super::wait::VERSION;
use crate::data::Data;

/// A host of `allow.net`, and a port of it or all.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Reach {
    host: String,
    port: Option<u16>,
}

/// Opens the folders, under the names by which the rack calls them.
pub(super) fn folders(builder: &mut WasiCtxBuilder, start: &Start<'_>) -> Result<()> {
    let lists =
        [("read", &start.allow.read, FsPerms::ReadOnly), ("write", &start.allow.write, FsPerms::ReadWrite)];
    for (key, folders, perms) in lists {
        for folder in folders.iter().flatten() {
            let path = start.root.join(folder);
            if path.is_file() {
                return Err(Error::new(
                    Code::BadValue,
                    format!(
                        "`allow.{key}` of `{}` names the file `{folder}`, and components are given folders",
                        start.slot
                    ),
                )
                .hint("Name the folder that it is in")
                .phase(Phase::Start));
            }
            builder.preopened_dir(&path, folder, perms).map_err(|why| {
                let why = why.root_cause().to_string();
                Error::new(
                    Code::BadValue,
                    format!("`allow.{key}` of `{}`: `{folder}` cannot be opened: {why}", start.slot),
                )
                .hint("Name a folder that is there; paths are relative to the rack")
                .phase(Phase::Start)
            })?;
        }
    }
    Ok(())
}

/// Shows the variables that are set.
pub(super) fn variables(builder: &mut WasiCtxBuilder, allow: &Allow) {
    for name in allow.env.iter().flatten() {
        if let Ok(value) = std::env::var(name) {
            builder.env(name, value);
        }
    }
}

/// Opens the way to the hosts, and gives their names.
pub(super) fn network(builder: &mut WasiCtxBuilder, allow: &Allow) -> Vec<String> {
    let reaches: Vec<Reach> = allow.net.iter().flatten().map(|text| Reach::parse(text)).collect();
    let hosts: Vec<String> = reaches.iter().map(|reach| reach.host.clone()).collect();
    let any = !reaches.is_empty();
    builder.allow_tcp(any).allow_udp(any).allow_ip_name_lookup(any);
    builder.socket_addr_check(move |addr, used| {
        let own = addr.ip().is_unspecified() && addr.port() == 0;
        let wanted = match used {
            // Every connection is bound to some port of this machine first.
            SocketAddrUse::TcpBind | SocketAddrUse::UdpBind => return Box::pin(async move { own }),
            SocketAddrUse::TcpConnect | SocketAddrUse::UdpSend | SocketAddrUse::UdpReceive => reaches.clone(),
            _ => Vec::new(),
        };
        // A name is looked up each time: where it leads may change.
        let looked = spawn_blocking(move || wanted.iter().any(|reach| reach.takes(addr)));
        Box::pin(looked)
    });
    hosts
}

impl Reach {
    fn parse(text: &str) -> Self {
        let whole = Self { host: text.trim_matches(['[', ']']).to_ascii_lowercase(), port: None };
        if text.parse::<IpAddr>().is_ok() {
            return whole;
        }
        match text.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => match port.parse() {
                Ok(port) => {
                    Self { host: host.trim_matches(['[', ']']).to_ascii_lowercase(), port: Some(port) }
                }
                Err(_) => whole,
            },
            _ => whole,
        }
    }

    fn takes(&self, addr: SocketAddr) -> bool {
        if self.port.is_some_and(|port| port != addr.port()) {
            return false;
        }
        match self.host.parse::<IpAddr>() {
            Ok(ip) => ip == addr.ip(),
            Err(_) => (self.host.as_str(), addr.port())
                .to_socket_addrs()
                .is_ok_and(|mut found| found.any(|found| found.ip() == addr.ip())),
        }
    }
}

/// Looks up no other names than those of the hosts: a question tells something, too.
pub(super) fn link(linker: &mut Linker<Data>) -> wasmtime::Result<()> {
    type Answer = std::result::Result<Resource<ResolveAddressStream>, ErrorCode>;
    linker.instance(&format!("wasi:sockets/ip-name-lookup@{VERSION}"))?.func_wrap(
        "resolve-addresses",
        |mut cx: StoreContextMut<'_, Data>,
         (network, name): (Resource<Network>, String)|
         -> wasmtime::Result<(Answer,)> {
            let data = cx.data_mut();
            if !data.wasi().hosts.iter().any(|host| host.eq_ignore_ascii_case(&name)) {
                return Ok((Err(ErrorCode::AccessDenied),));
            }
            let found = data.sockets().resolve_addresses(network, name);
            Ok((match found {
                Ok(found) => Ok(found),
                Err(why) => Err(why.downcast()?),
            },))
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_named_with_a_port_or_without() {
        let reach = |host: &str, port| Reach { host: host.into(), port };
        let cases = [
            ("Example.org", reach("example.org", None)),
            ("example.org:80", reach("example.org", Some(80))),
            ("127.0.0.1:8080", reach("127.0.0.1", Some(8080))),
            ("::1", reach("::1", None)),
            ("[::1]", reach("::1", None)),
            ("[::1]:80", reach("::1", Some(80))),
        ];
        for (text, wanted) in cases {
            assert_eq!(Reach::parse(text), wanted, "{text}");
        }
    }

    #[test]
    fn an_address_is_taken_as_its_host_and_port_say() {
        let takes = |text: &str, addr: &str| Reach::parse(text).takes(addr.parse().expect("an address"));
        assert!(takes("127.0.0.1", "127.0.0.1:80") && takes("127.0.0.1:80", "127.0.0.1:80"));
        assert!(takes("localhost", "127.0.0.1:9"));
        assert!(!takes("127.0.0.1:81", "127.0.0.1:80") && !takes("127.0.0.2", "127.0.0.1:80"));
        assert!(!takes("localhost", "192.0.2.1:9"));
    }
}
