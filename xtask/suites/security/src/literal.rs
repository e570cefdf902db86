//! Inputs as the table spells them: Rust's escapes, and `{x*100000}` for many of something.

/// The bytes that `spelled` stands for: `\r`, `\n`, `\t`, `\0`, `\\`, `\x1b`, `\u{202e}`, `{text*count}`.
///
/// # Panics
///
/// When it is spelled wrong: then the table is.
pub(crate) fn bytes(spelled: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = spelled;
    while let Some(at) = rest.find(['\\', '{']) {
        out.extend_from_slice(&rest.as_bytes()[..at]);
        let special = &rest[at..];
        rest = if special.starts_with('{') {
            repeat(special, &mut out)
        } else {
            escape(special, &mut out)
        };
    }
    out.extend_from_slice(rest.as_bytes());
    out
}

/// The same, where it has to be text.
pub(crate) fn text(spelled: &str) -> String {
    String::from_utf8(bytes(spelled)).expect("the input is text")
}

/// `{text*count}`; a brace that does not say so stands for itself.
fn repeat<'s>(special: &'s str, out: &mut Vec<u8>) -> &'s str {
    let parts = special[1..].split_once('}').and_then(|(inside, rest)| {
        let (what, count) = inside.rsplit_once('*')?;
        Some((bytes(what), count.parse::<usize>().ok()?, rest))
    });
    let Some((what, count, rest)) = parts else {
        out.push(b'{');
        return &special[1..];
    };
    out.extend(what.repeat(count));
    rest
}

fn escape<'s>(special: &'s str, out: &mut Vec<u8>) -> &'s str {
    let (simple, rest) = match special.as_bytes().get(1) {
        Some(b'r') => (b'\r', 2),
        Some(b'n') => (b'\n', 2),
        Some(b't') => (b'\t', 2),
        Some(b'0') => (0, 2),
        Some(b'\\') => (b'\\', 2),
        Some(b'"') => (b'"', 2),
        Some(b'x') => (u8::from_str_radix(&special[2..4], 16).expect("two hexadecimal digits"), 4),
        Some(b'u') => {
            let (digits, rest) = special[3..].split_once('}').expect("a code point ends");
            let point = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32);
            let point = point.expect("a code point is one");
            out.extend_from_slice(point.encode_utf8(&mut [0; 4]).as_bytes());
            return rest;
        }
        _ => panic!("`{special}` begins with an escape that nobody knows"),
    };
    out.push(simple);
    &special[rest..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spelled_is_meant() {
        assert_eq!(bytes(r"a\r\n\t\0\\\x1b"), b"a\r\n\t\0\\\x1b");
        assert_eq!(text(r"\u{ff11}{ab*3}{}"), "\u{ff11}ababab{}");
        assert_eq!(bytes(r"{\xff*2}"), b"\xff\xff");
    }
}
