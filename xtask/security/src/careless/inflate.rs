//! Unpacks what bombs are made of: gzip (RFC 1952) with one block whose codes are its own (RFC 1951).

/// The header of a file without a name.
const HEADER: usize = 10;

/// The order in which the lengths of the codes for lengths come.
const ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

const LENGTHS: [usize; 29] = [
    3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131,
    163, 195, 227, 258,
];

/// What is unpacked. None, when it is more than `most`, or packed otherwise.
pub(super) fn inflate(packed: &[u8], most: usize) -> Option<Vec<u8>> {
    let mut bits = Bits { bytes: packed.get(HEADER..)?, at: 0 };
    let (_is_last, _has_own_codes) = (bits.take(1)?, bits.take(2)?);
    let (literals, distances) = codes(&mut bits)?;
    let mut out = Vec::new();
    while out.len() <= most {
        match literals.next(&mut bits)? {
            byte @ 0..256 => out.push(u8::try_from(byte).ok()?),
            256 => return Some(out),
            symbol => {
                let length = length(&mut bits, symbol - 257)?;
                let symbol = distances.next(&mut bits)?;
                let distance = distance(&mut bits, symbol)?;
                for _ in 0..length {
                    out.push(*out.get(out.len().checked_sub(distance)?)?);
                }
            }
        }
    }
    None
}

fn length(bits: &mut Bits<'_>, symbol: usize) -> Option<usize> {
    // From 8 on, each four of them have one bit more.
    let more = if (8..28).contains(&symbol) { symbol / 4 - 1 } else { 0 };
    Some(LENGTHS.get(symbol)? + bits.take(more)?)
}

fn distance(bits: &mut Bits<'_>, symbol: usize) -> Option<usize> {
    if symbol < 4 {
        return Some(symbol + 1);
    }
    let more = symbol / 2 - 1;
    Some(((2 + symbol % 2) << more) + 1 + bits.take(more)?)
}

/// The codes for bytes and lengths, and those for distances.
fn codes(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let (literals, distances, own) = (bits.take(5)? + 257, bits.take(5)? + 1, bits.take(4)? + 4);
    let mut lengths = [0; 19];
    for at in ORDER.into_iter().take(own) {
        lengths[at] = bits.take(3)?;
    }
    let code = Code::of(&lengths);
    let mut lengths = Vec::new();
    while lengths.len() < literals + distances {
        let (length, times) = match code.next(bits)? {
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            18 => (0, 11 + bits.take(7)?),
            length => (length, 1),
        };
        lengths.extend(std::iter::repeat_n(length, times));
    }
    let (literals, distances) = lengths.split_at(literals);
    Some((Code::of(literals), Code::of(distances)))
}

/// Symbols by the length of their codes.
struct Code {
    counts: [usize; 16],
    symbols: Vec<usize>,
}

impl Code {
    fn of(lengths: &[usize]) -> Self {
        let with = |length: usize| {
            lengths.iter().enumerate().filter(move |(_, one)| **one == length).map(|(at, _)| at)
        };
        let counts =
            std::array::from_fn(|length| if length == 0 { 0 } else { with(length).count() });
        Self { counts, symbols: (1..16).flat_map(with).collect() }
    }

    fn next(&self, bits: &mut Bits<'_>) -> Option<usize> {
        let (mut code, mut first, mut before) = (0, 0, 0);
        for count in &self.counts[1..] {
            code |= bits.take(1)?;
            if code < first + count {
                return self.symbols.get(before + code - first).copied();
            }
            before += count;
            (first, code) = ((first + count) << 1, code << 1);
        }
        None
    }
}

struct Bits<'b> {
    bytes: &'b [u8],
    at: usize,
}

impl Bits<'_> {
    /// The next `count` bits, the lowest first.
    fn take(&mut self, count: usize) -> Option<usize> {
        let mut value = 0;
        for place in 0..count {
            let bit = self.bytes.get(self.at / 8)? >> (self.at % 8) & 1;
            value |= usize::from(bit) << place;
            self.at += 1;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::literal;

    #[test]
    fn a_bomb_becomes_what_it_says() {
        let bomb = r"\x1f\x8b\x08\0\0\0\0\0\0\xff\xed\xc0\x81\0\0\0\0\x80\xa0\xfd\xa9\x17\xa9\0{\0*10}\x80\x01";
        let unpacked = inflate(&literal::bytes(bomb), 1 << 20).unwrap();
        assert!(unpacked.iter().all(|byte| *byte == 0));
        assert_eq!(unpacked.len(), 1 + 258 * 47);
        assert_eq!(inflate(&literal::bytes(bomb), 0), None);
    }
}
