//! Which of several control planes a router is linked to, and which one is next.

use crate::control_plane_wire::ControlPlaneUrl;

pub struct ControlPlaneUrls {
    /// At least one; the first one is in use.
    urls: Vec<ControlPlaneUrl>,
}

impl ControlPlaneUrls {
    /// Begins with any of them, so that a fleet with one list does not gather at its first entry. `random` is in [0, 1).
    pub fn new(mut urls: Vec<ControlPlaneUrl>, random: f64) -> Self {
        let first = (random * urls.len() as f64) as usize;
        urls.rotate_left(first);
        ControlPlaneUrls { urls }
    }

    pub fn current(&self) -> ControlPlaneUrl {
        self.urls[0].clone()
    }

    /// Moves on to the next one, and round again. Returns the one that it left.
    pub fn leave(&mut self) -> ControlPlaneUrl {
        let left = self.current();
        self.urls.rotate_left(1);
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls_from(random: f64) -> ControlPlaneUrls {
        let parse = |text| ControlPlaneUrl::parse(text).expect("a URL");
        ControlPlaneUrls::new(["ws://a", "ws://b", "ws://c"].map(parse).into(), random)
    }

    #[test]
    fn begins_with_any_of_them_and_goes_round() {
        for (random, order) in [(0.0, ["a", "b", "c", "a"]), (0.5, ["b", "c", "a", "b"]), (0.999, ["c", "a", "b", "c"])]
        {
            let mut urls = urls_from(random);
            for name in order {
                let href = format!("ws://{name}/v1/connect");
                assert_eq!((urls.current().href, urls.leave().href), (href.clone(), href));
            }
        }
    }
}
