//! A cell's endpoint as people write it, `http://host:port`, brought to one spelling: connection pools are kept by it, and
//! isolation is checked by what is really dialled. Opening connections is left to `upstreams.rs`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// The origin in one spelling, such as `http://127.0.0.1:9001`.
    pub url: String,
    /// Host and port as they go into `Host`; without port 80, which `http` implies.
    pub authority: String,
    pub host: Host,
    pub port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Address(IpAddr),
    /// Looked up for each new connection, in lower case.
    Name(String),
}

// #region endpoint
impl Endpoint {
    /// `None` for anything but an origin: a path, a query or credentials would be dropped without a word.
    pub fn parse(text: &str) -> Option<Endpoint> {
        let rest = text.strip_prefix("http://")?;
        let (host, port) = match rest.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']')?;
                (Host::Address(IpAddr::V6(address.parse::<Ipv6Addr>().ok()?)), parse_port(port)?)
            }
            None => {
                let at = rest.find(':').unwrap_or(rest.len());
                (parse_host(&rest[..at])?, parse_port(&rest[at..])?)
            }
        };
        let name = match &host {
            Host::Address(IpAddr::V4(address)) => address.to_string(),
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
            Host::Name(name) => name.clone(),
        };
        let authority = if port == 80 { name } else { format!("{name}:{port}") };
        Some(Endpoint { url: format!("http://{authority}"), authority, host, port })
    }

    /// The address to connect to, where no look-up is needed.
    pub fn address(&self) -> Option<SocketAddr> {
        match self.host {
            Host::Address(address) => Some(SocketAddr::new(address, self.port)),
            Host::Name(_) => None,
        }
    }

    /// What a connection to this endpoint reaches, in one spelling: `localhost`, `0.0.0.0` and an IPv4 address written as
    /// IPv6 lead to the same listener as `127.0.0.1`.
    pub fn dialled(&self) -> String {
        let address = match &self.host {
            Host::Name(name) => {
                // The root's dot: `cell.example.` is `cell.example`.
                let name = name.strip_suffix('.').unwrap_or(name);
                if name != "localhost" && !name.ends_with(".localhost") {
                    return format!("{name}:{}", self.port);
                }
                Ipv4Addr::LOCALHOST.into()
            }
            Host::Address(address) => match address.to_canonical() {
                IpAddr::V4(Ipv4Addr::UNSPECIFIED) => Ipv4Addr::LOCALHOST.into(),
                IpAddr::V6(Ipv6Addr::UNSPECIFIED | Ipv6Addr::LOCALHOST) => Ipv4Addr::LOCALHOST.into(),
                other => other,
            },
        };
        SocketAddr::new(address, self.port).to_string()
    }
}
// #endregion endpoint

/// `:9001`, or nothing for port 80.
pub fn parse_port(text: &str) -> Option<u16> {
    let Some(digits) = text.strip_prefix(':') else { return text.is_empty().then_some(80) };
    if digits.is_empty() {
        return Some(80);
    }
    let port = digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())??;
    (port != 0).then_some(port)
}

/// A name or an IPv4 address in any of its spellings. Names beyond ASCII are refused: write their encoded form.
fn parse_host(text: &str) -> Option<Host> {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    if text.is_empty() || !text.bytes().all(is_name) {
        return None;
    }
    let last = text.strip_suffix('.').unwrap_or(text).rsplit('.').next()?;
    let is_number = !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()) || parse_number(last).is_some();
    if !is_number {
        return Some(Host::Name(text.to_ascii_lowercase()));
    }
    parse_ipv4(text).map(|address| Host::Address(address.into()))
}

/// See <https://url.spec.whatwg.org/#concept-ipv4-parser>: `127.1` is `127.0.0.1`, as every resolver says.
fn parse_ipv4(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<u64> = text.strip_suffix('.').unwrap_or(text).split('.').map(parse_number).collect::<Option<_>>()?;
    let (last, first) = parts.split_last()?;
    if first.len() > 3 || first.iter().any(|part| *part > 255) || *last >= 256u64.pow(4 - first.len() as u32) {
        return None;
    }
    let high = first.iter().zip([24, 16, 8]).map(|(part, shift)| part << shift).sum::<u64>();
    u32::try_from(high + last).ok().map(Ipv4Addr::from)
}

fn parse_number(text: &str) -> Option<u64> {
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    match hex {
        Some("") => Some(0),
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u64::from_str_radix(&text[1..], 8).ok(),
        None => text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok())?,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_one_spelling() {
        let cases = [
            ("http://127.0.0.1:09001", "http://127.0.0.1:9001"),
            ("http://CELL.internal:80", "http://cell.internal"),
            ("http://cell.internal", "http://cell.internal"),
            ("http://[::1]:9001", "http://[::1]:9001"),
            ("http://[0:0::1]:9001", "http://[::1]:9001"),
            ("http://127.1:9001", "http://127.0.0.1:9001"),
            ("http://0x7f.1:9001", "http://127.0.0.1:9001"),
            ("http://0177.0.0.1:9001", "http://127.0.0.1:9001"),
            ("http://2130706433:9001", "http://127.0.0.1:9001"),
        ];
        for (text, url) in cases {
            assert_eq!(Endpoint::parse(text).map(|endpoint| endpoint.url).as_deref(), Some(url), "{text}");
        }
    }

    #[test]
    fn is_an_origin_and_nothing_else() {
        let cases = [
            "not a url",
            "127.0.0.1:9001",
            "https://127.0.0.1:9001",
            "ftp://127.0.0.1:9001",
            "http://127.0.0.1:9001/path",
            "http://127.0.0.1:9001?query",
            "http://127.0.0.1:9001#fragment",
            "http://user:password@127.0.0.1:9001",
            "http://",
            "http://127.0.0.1:0",
            "http://127.0.0.1:70000",
            "http://127.0.0.1:9001\\@elsewhere",
            "http://127.0.0.1 :9001",
            " http://127.0.0.1:9001",
            "http://256.0.0.1:9001",
            "http://1.2.3.4.5:9001",
            "http://[::1",
            "http://[::1]x",
            "http://%31:1",
            "http://*:9001",
            "http://%2a:9001",
            "http://$HOST:9001",
            "http://it's:9001",
            "http://a;b:9001",
            "http://a{b}:9001",
        ];
        for text in cases {
            assert_eq!(Endpoint::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn knows_what_is_dialled() {
        let spellings =
            ["127.0.0.1", "127.1", "localhost", "LOCALHOST.", "[::ffff:127.0.0.1]", "0.0.0.0", "[::1]", "[::]"];
        for host in spellings {
            let endpoint = Endpoint::parse(&format!("http://{host}:9004")).expect("an origin");
            assert_eq!(endpoint.dialled(), "127.0.0.1:9004", "{host}");
        }
        let other = Endpoint::parse("http://10.0.0.1:9004").expect("an origin");
        assert_eq!(other.dialled(), "10.0.0.1:9004");
    }
}
