//! Content coding negotiation (RFC 9110, section 12.5.3).

/// A content coding that a precompressed sibling file can hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Coding {
    Brotli,
    Zstandard,
    Gzip,
}

impl Coding {
    /// In the order that we prefer at equal weight: the smallest first.
    pub(crate) const ALL: [Self; 3] = [Self::Brotli, Self::Zstandard, Self::Gzip];

    /// The coding's registered name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Brotli => "br",
            Self::Zstandard => "zstd",
            Self::Gzip => "gzip",
        }
    }

    /// What a sibling file's name adds.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::Brotli => ".br",
            Self::Zstandard => ".zst",
            Self::Gzip => ".gz",
        }
    }
}

/// The best coding among those `available` that an Accept-Encoding value allows; `None` means identity.
pub(crate) fn choose(accept: &[u8], available: impl Fn(Coding) -> bool) -> Option<Coding> {
    let mut best: Option<(u16, Coding)> = None;
    for coding in Coding::ALL {
        if !available(coding) {
            continue;
        }
        let weight = weight(accept, coding.name());
        if weight > 0 && best.is_none_or(|(other, _)| weight > other) {
            best = Some((weight, coding));
        }
    }
    let (weight, coding) = best?;
    let identity = explicit_weight(accept, "identity");
    if identity.is_some_and(|identity| identity > weight) {
        None
    } else {
        Some(coding)
    }
}

/// Weight in thousandths, from the coding's own item or else from `*`.
fn weight(accept: &[u8], name: &str) -> u16 {
    explicit_weight(accept, name)
        .or_else(|| explicit_weight(accept, "*"))
        .unwrap_or(0)
}

fn explicit_weight(accept: &[u8], name: &str) -> Option<u16> {
    accept.split(|&byte| byte == b',').find_map(|item| {
        let mut parts = item.split(|&byte| byte == b';');
        let coding = parts.next().unwrap_or_default().trim_ascii();
        let same = coding.eq_ignore_ascii_case(name.as_bytes())
            || (name == "gzip" && coding.eq_ignore_ascii_case(b"x-gzip"));
        same.then(|| parts.find_map(quality).unwrap_or(1000))
    })
}

/// A `q=` parameter in thousandths; one that is not a valid weight counts as 0, the careful reading.
fn quality(parameter: &[u8]) -> Option<u16> {
    let parameter = parameter.trim_ascii();
    let value = parameter
        .strip_prefix(b"q=")
        .or_else(|| parameter.strip_prefix(b"Q="))?;
    Some(match value {
        [b'0'] | [b'0', b'.'] => 0,
        [b'1'] | [b'1', b'.'] => 1000,
        [b'1', b'.', zeros @ ..] if zeros.len() <= 3 && zeros.iter().all(|&digit| digit == b'0') => 1000,
        [b'0', b'.', digits @ ..] if digits.len() <= 3 && digits.iter().all(u8::is_ascii_digit) => {
            let scale = [100, 10, 1];
            digits
                .iter()
                .zip(scale)
                .map(|(digit, scale)| u16::from(digit - b'0') * scale)
                .sum()
        }
        _ => 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(accept: &str) -> Option<Coding> {
        choose(accept.as_bytes(), |_| true)
    }

    #[test]
    fn prefers_by_weight_then_by_size() {
        assert_eq!(all("gzip, deflate, br, zstd"), Some(Coding::Brotli));
        assert_eq!(all("gzip, zstd;q=0.9, br;q=0.8"), Some(Coding::Gzip));
        assert_eq!(all("GZIP;Q=0.001"), Some(Coding::Gzip));
        assert_eq!(all("x-gzip"), Some(Coding::Gzip));
        assert_eq!(
            choose(b"gzip, br", |coding| coding == Coding::Gzip),
            Some(Coding::Gzip)
        );
    }

    #[test]
    fn identity_when_nothing_else_is_allowed_or_it_is_preferred() {
        for accept in [
            "",
            "deflate",
            "gzip;q=0, br;q=0.000",
            "identity, gzip;q=0.5",
            "gzip;q=2",
            "gzip;q=0.1234",
        ] {
            assert_eq!(all(accept), None, "{accept}");
        }
    }

    #[test]
    fn the_star_stands_for_what_is_not_named() {
        assert_eq!(all("*"), Some(Coding::Brotli));
        assert_eq!(all("br;q=0, *;q=0.5"), Some(Coding::Zstandard));
        assert_eq!(all("*;q=0"), None);
    }
}
