use super::random::Random;
use super::sets::Set;

/// Paths to look up in a pass.
const PATHS: usize = 8192;

/// What kind of path is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A registered prefix itself.
    Exact,
    /// A registered prefix and a short tail.
    Hit,
    /// A registered prefix with one byte changed, and a short tail.
    Miss,
    /// A registered prefix and some 480 bytes of segments.
    Long,
    /// Eight paths of the kind `Hit`, over and over.
    Hot,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] = [Self::Exact, Self::Hit, Self::Miss, Self::Long, Self::Hot];

    /// How the kind is called in keys.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Hit => "hit",
            Self::Miss => "miss",
            Self::Long => "long",
            Self::Hot => "hot",
        }
    }

    /// Paths of this kind for `set`, at random.
    #[must_use]
    pub fn paths(self, set: &Set) -> Vec<String> {
        let mut random = Random::new(self as u64 + 77);
        let mut paths: Vec<String> = (0..PATHS).map(|_| self.path(set, &mut random)).collect();
        if self == Self::Hot {
            for at in 8..PATHS {
                paths[at] = paths[at % 8].clone();
            }
        }
        paths
    }

    fn path(self, set: &Set, random: &mut Random) -> String {
        let mut path = random.pick(&set.prefixes).clone();
        match self {
            Self::Exact => {}
            Self::Hit | Self::Hot => tail(&mut path, random),
            Self::Miss => {
                path = change_a_byte(&path, random);
                tail(&mut path, random);
            }
            Self::Long => {
                let end = path.len() + 480;
                while path.len() < end {
                    path.push('/');
                    random.word(&mut path);
                }
            }
        }
        path
    }
}

const TAILS: [&str; 5] = ["", "/", "/index.html", "/x/42", "/item/123?a=b"];

fn tail(path: &mut String, random: &mut Random) {
    let tail: &str = random.pick::<&str>(&TAILS);
    path.push_str(tail);
}

/// Changes one byte behind the first slash into another letter or digit.
fn change_a_byte(path: &str, random: &mut Random) -> String {
    let at = 1 + random.below(path.len() - 1);
    let mut bytes = path.as_bytes().to_vec();
    while bytes[at] == path.as_bytes()[at] {
        bytes[at] = *random.pick(b"abcdefghijklmnopqrstuvwxyz0123456789");
    }
    String::from_utf8(bytes).expect("ASCII")
}
