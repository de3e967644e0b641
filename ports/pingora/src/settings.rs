//! What can be set from outside, by environment variables: those of the stages, and `STAGE`, `FRONT` and `THREADS`. Every
//! fault is named before anything starts.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use indexmap::IndexSet;

use crate::control_plane_wire::ControlPlaneUrl;
use crate::endpoint::Endpoint;
use crate::logger::Level;

/// Which milestone the binary is. One binary for all: they differ by what is switched on, and a build takes minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    M1,
    M2,
    M3,
    M4,
}

#[derive(Debug)]
pub struct Settings {
    pub stage: Stage,
    /// Whether the strict front stands before the engine; without it, clients meet the engine's own listener.
    pub front: bool,
    pub threads: usize,
    /// Address to listen on. Loopback unless told otherwise: the router trusts whoever can reach it.
    pub host: IpAddr,
    pub port: u16,
    /// Port for operators, on loopback.
    pub admin_port: u16,
    pub log_level: Level,
    /// From a request's end to the head of its response; 0 for no limit. A long poll needs more.
    pub head_timeout_ms: f64,
    /// Silence inside a response's body; 0 for no limit. A quiet event stream needs more.
    pub body_idle_timeout_ms: f64,
    /// An idle client connection; above the 60 s of common load balancers, so that they close first.
    pub keep_alive_timeout: Option<Duration>,
    /// m1: endpoints by placement, to run the cells elsewhere than on the default ports.
    pub cells: HashMap<String, Endpoint>,
    pub routing_file: PathBuf,
    /// Who pushes the table, the same one if there are several. None: `ROUTING_FILE` alone counts.
    pub control_plane_urls: Vec<ControlPlaneUrl>,
    pub control_plane_token: Option<String>,
    /// Read for each link, so it may be made later than this router is started.
    pub control_plane_token_file: PathBuf,
    /// Folder for the last-known-good snapshot, and for the token of a control plane beside this router.
    pub state_dir: PathBuf,
    pub router_id: Option<String>,
    /// Largest message that is taken from the control plane.
    pub max_message_bytes: usize,
}

struct Reader<'a> {
    variable: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<String>,
}

impl Reader<'_> {
    /// An empty variable is one that is not set.
    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).filter(|value| !value.is_empty())
    }

    fn read<T>(&mut self, name: &str, otherwise: T, rule: &str, parse: impl FnOnce(&str) -> Option<T>) -> T {
        let Some(value) = self.text(name) else { return otherwise };
        parse(&value).unwrap_or_else(|| {
            self.fault(name, &value, rule);
            otherwise
        })
    }

    fn fault(&mut self, name: &str, value: &str, rule: &str) {
        // A secret does not belong in a log.
        let is_secret = name == "CONTROL_PLANE_TOKEN" || value.contains('@');
        let what = if is_secret { name.to_owned() } else { format!("{name}={value:?}") };
        self.faults.push(format!("{what}: {rule}"));
    }

    fn port(&mut self, name: &str, otherwise: u16) -> u16 {
        self.read(name, otherwise, "expected a port, 0 to 65535", |text| digits(text, 5)?.try_into().ok())
    }

    fn limit_ms(&mut self, name: &str, otherwise: u32) -> f64 {
        let rule = "expected milliseconds, 0 to turn the limit off";
        f64::from(self.read(name, otherwise, rule, |text| digits(text, 9)))
    }
}

fn digits(text: &str, most: usize) -> Option<u32> {
    let plain = !text.is_empty() && text.len() <= most && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

// #region settings
/// The error names every fault, one per line.
pub fn read_settings(variable: &dyn Fn(&str) -> Option<String>) -> Result<Settings, String> {
    let mut reader = Reader { variable, faults: Vec::new() };
    let stage = reader.read("STAGE", Stage::M4, "expected m1, m2, m3 or m4", parse_stage);
    let front = reader.read("FRONT", true, "expected on or off", |text| match text {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    });
    let threads = reader.read("THREADS", 1, "expected the number of worker threads, 1 to 64", |text| {
        digits(text, 2).filter(|threads| (1..=64).contains(threads)).map(|threads| threads as usize)
    });
    let host = reader.read("HOST", IpAddr::from([127, 0, 0, 1]), "expected an IP address", parse_host);
    let keep_alive_ms = reader.limit_ms("KEEP_ALIVE_TIMEOUT_MS", 65_000);
    let state_dir = PathBuf::from(reader.text("STATE_DIR").unwrap_or_else(|| ".state".into()));
    let token_file = reader.text("CONTROL_PLANE_TOKEN_FILE").map(PathBuf::from);
    let url = reader.text("CONTROL_PLANE_URL");
    let settings = Settings {
        stage,
        front,
        threads,
        host,
        port: reader.port("PORT", 8080),
        admin_port: reader.port("ADMIN_PORT", 8082),
        log_level: reader.read(
            "LOG_LEVEL",
            Level::Info,
            "expected fatal, error, warn, info, debug, trace or silent",
            parse_level,
        ),
        head_timeout_ms: reader.limit_ms("HEAD_TIMEOUT_MS", 10_000),
        body_idle_timeout_ms: reader.limit_ms("BODY_IDLE_TIMEOUT_MS", 30_000),
        keep_alive_timeout: (keep_alive_ms > 0.0).then(|| Duration::from_secs_f64(keep_alive_ms / 1000.0)),
        cells: reader.read("CELLS", HashMap::new(), CELLS_RULE, parse_cells),
        routing_file: reader.text("ROUTING_FILE").unwrap_or_else(|| "routing.json".into()).into(),
        control_plane_urls: read_control_plane_urls(&mut reader, stage, url),
        control_plane_token: reader.read("CONTROL_PLANE_TOKEN", None, TOKEN_RULE, |text| {
            text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| Some(text.to_owned()))
        }),
        control_plane_token_file: token_file.unwrap_or_else(|| state_dir.join("control-plane-token")),
        state_dir,
        router_id: reader.read("ROUTER_ID", None, ROUTER_ID_RULE, |text| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
            (text.len() <= 128 && text.bytes().all(plain)).then(|| Some(text.to_owned()))
        }),
        max_message_bytes: reader.read("MAX_MESSAGE_BYTES", 16 * 1024 * 1024, "expected bytes, 1024 or more", |text| {
            digits(text, 9).filter(|bytes| *bytes >= 1024).map(|bytes| bytes as usize)
        }),
    };
    if reader.faults.is_empty() { Ok(settings) } else { Err(format!("Cannot start: {}", reader.faults.join("\n"))) }
}
// #endregion settings

const CELLS_RULE: &str = "write each cell as name=http://host:port, with a name of visa, tier1, tier2, tier3";
const TOKEN_RULE: &str = "expected printable characters without a space";
const ROUTER_ID_RULE: &str = "expected up to 128 letters, digits, dots, dashes and underscores";

fn parse_stage(text: &str) -> Option<Stage> {
    match text {
        "m1" => Some(Stage::M1),
        "m2" => Some(Stage::M2),
        "m3" => Some(Stage::M3),
        "m4" => Some(Stage::M4),
        _ => None,
    }
}

fn parse_host(text: &str) -> Option<IpAddr> {
    if text == "localhost" { Some(IpAddr::from([127, 0, 0, 1])) } else { text.parse().ok() }
}

fn parse_level(text: &str) -> Option<Level> {
    match text {
        "trace" => Some(Level::Trace),
        "debug" => Some(Level::Debug),
        "info" => Some(Level::Info),
        "warn" => Some(Level::Warn),
        "error" => Some(Level::Error),
        "fatal" => Some(Level::Fatal),
        "silent" => Some(Level::Silent),
        _ => None,
    }
}

fn parse_cells(text: &str) -> Option<HashMap<String, Endpoint>> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    let read = |pair: &str| {
        let (name, url) = pair.split_once('=')?;
        let is_known = ["visa", "tier1", "tier2", "tier3"].contains(&name.trim());
        Some((name.trim().to_owned(), Endpoint::parse(url.trim()).filter(|_| is_known)?))
    };
    pairs.map(read).collect()
}

/// Set to nothing, or to `off`, there is none; not set at all, there is the one beside this router.
fn read_control_plane_urls(reader: &mut Reader<'_>, stage: Stage, url: Option<String>) -> Vec<ControlPlaneUrl> {
    let is_empty = (reader.variable)("CONTROL_PLANE_URL").is_some() && url.is_none();
    let text = url.unwrap_or_else(|| "ws://127.0.0.1:8081".into());
    if is_empty || text == "off" || stage < Stage::M3 {
        return Vec::new();
    }
    let each: Vec<Option<ControlPlaneUrl>> = text.split(',').map(|part| ControlPlaneUrl::parse(part.trim())).collect();
    if let Some(wrong) = each.iter().position(Option::is_none) {
        let one = if each.len() == 1 { String::new() } else { format!("; number {} is none", wrong + 1) };
        reader.fault("CONTROL_PLANE_URL", &text, &format!("expected ws://host:port/v1/connect, or off{one}"));
    }
    each.into_iter().flatten().collect::<IndexSet<_>>().into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let find = |name: &str| variables.iter().find(|(each, _)| *each == name).map(|(_, value)| value.to_string());
        read_settings(&find)
    }

    fn hrefs(settings: &Settings) -> Vec<&str> {
        settings.control_plane_urls.iter().map(|url| url.href.as_str()).collect()
    }

    #[test]
    fn has_the_defaults_of_the_stages() {
        let settings = read(&[]).expect("settings");
        assert_eq!((settings.stage, settings.front, settings.threads), (Stage::M4, true, 1));
        assert_eq!((settings.host.to_string().as_str(), settings.port, settings.admin_port), ("127.0.0.1", 8080, 8082));
        assert_eq!((settings.head_timeout_ms, settings.body_idle_timeout_ms), (10_000.0, 30_000.0));
        assert_eq!(hrefs(&settings), ["ws://127.0.0.1:8081/v1/connect"]);
    }

    #[test]
    fn names_every_fault_with_its_value() {
        let faults = read(&[
            ("STAGE", "m9"),
            ("PORT", "70000"),
            ("ADMIN_PORT", "x"),
            ("HOST", "999.1.1.1"),
            ("THREADS", "two"),
            ("HEAD_TIMEOUT_MS", "-1"),
            ("CELLS", "visa=nowhere"),
            ("CONTROL_PLANE_URL", "tcp://a"),
            ("ROUTER_ID", "a b"),
            ("MAX_MESSAGE_BYTES", "12"),
        ])
        .expect_err("faults");
        assert_eq!(faults.lines().count(), 10, "{faults}");
        assert!(faults.starts_with("Cannot start: STAGE=\"m9\": expected m1, m2, m3 or m4\n"));
    }

    #[test]
    fn a_control_plane_can_be_switched_off() {
        for value in ["", "off"] {
            assert!(read(&[("CONTROL_PLANE_URL", value)]).expect("settings").control_plane_urls.is_empty());
        }
        assert!(read(&[("STAGE", "m2")]).expect("settings").control_plane_urls.is_empty());
    }

    #[test]
    fn there_may_be_several_control_planes() {
        let settings = read(&[("CONTROL_PLANE_URL", "ws://a:1, http://b:2,ws://a:1/")]).expect("settings");
        assert_eq!(hrefs(&settings), ["ws://a:1/v1/connect", "ws://b:2/v1/connect"]);
        let faults = read(&[("CONTROL_PLANE_URL", "ws://a:1,")]).expect_err("a fault");
        let rule = "expected ws://host:port/v1/connect, or off; number 2 is none";
        assert_eq!(faults, format!("Cannot start: CONTROL_PLANE_URL=\"ws://a:1,\": {rule}"));
    }

    #[test]
    fn names_no_value_that_may_hold_a_secret() {
        let secrets = [
            ("CONTROL_PLANE_URL", "ws://me:pa55word@127.0.0.1:8081"),
            ("CONTROL_PLANE_URL", "ws://a:1,ws://me:pa55word@b:2"),
            ("CELLS", "visa=http://me:pa55word@127.0.0.1:9004"),
            ("CONTROL_PLANE_TOKEN", "pa55word pa55word"),
        ];
        for (name, value) in secrets {
            let faults = read(&[(name, value)]).expect_err("a fault");
            assert!(faults.starts_with(&format!("Cannot start: {name}: ")) && !faults.contains("pa55"), "{faults}");
        }
    }
}
