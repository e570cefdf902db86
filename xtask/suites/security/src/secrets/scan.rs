//! How often a canary shows, in whatever form.

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// How often `canary`, standard base64 of a key, shows in `output`: as it is, or as somebody prints bytes.
pub(crate) fn count(output: &[u8], canary: &str) -> usize {
    forms(canary).iter().map(|form| occurrences(output, form)).sum()
}

/// As the table says it.
pub(crate) fn times(count: usize) -> String {
    match count {
        1 => "once".to_owned(),
        count => format!("{count} times"),
    }
}

fn forms(canary: &str) -> Vec<Vec<u8>> {
    // The end is spelled in more than one way.
    let bare = canary.trim_end_matches('=');
    let mut forms = vec![bare.as_bytes().to_vec()];
    forms.extend(printed(bare.as_bytes()));
    // What its neighbours have a part in is left out.
    let encoded =
        (0..3).map(|before| STANDARD.encode([&vec![0; before], bare.as_bytes()].concat()));
    forms.extend(encoded.map(|encoded| encoded.as_bytes()[4..encoded.len() - 4].to_vec()));
    if let Ok(key) = STANDARD.decode(canary) {
        forms.extend(printed(&key));
        forms.push(key);
    }
    forms
}

/// In hexadecimal, and as a list.
fn printed(bytes: &[u8]) -> [Vec<u8>; 3] {
    let hex = bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let list = format!("{bytes:?}");
    [hex.to_uppercase(), hex, list.trim_matches(['[', ']']).to_owned()].map(String::into_bytes)
}

fn occurrences(output: &[u8], form: &[u8]) -> usize {
    let (Some(first), false) = (form.first(), output.is_empty()) else { return 0 };
    let starts = output.iter().enumerate().filter(|(_, byte)| *byte == first);
    starts.filter(|(at, _)| output[*at..].starts_with(form)).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARY: &str = "c4naryc4naryc4naryc4naryc4naryc4naryc4naryc=";

    #[test]
    fn a_canary_is_found_in_whatever_form() {
        let key = STANDARD.decode(CANARY).unwrap();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let encoded = |before: &str| STANDARD.encode(format!("{before}{CANARY}"));
        let table = [
            format!("token={CANARY}&"),
            format!("password {}%3D", CANARY.trim_end_matches('=')),
            format!("{:?}", CANARY.as_bytes()),
            format!("{key:?}"),
            hex(&key),
            hex(CANARY.as_bytes()),
            encoded("Bearer "),
            encoded("user:"),
            encoded("u:"),
        ];
        for text in table {
            assert_eq!(count(text.as_bytes(), CANARY), 1, "{text}");
        }
        assert_eq!(count(&key, CANARY), 1);
        assert_eq!(count(b"nothing of c4nary", CANARY), 0);
    }
}
