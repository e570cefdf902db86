//! Byte budget of a claim: how many bodies fit into it.

/// Bytes that a claim may still read. The first body always fits, so that a large event is claimed
/// as well.
#[derive(Clone, Copy, Debug)]
pub struct ByteBudget {
    left: usize,
    taken: bool,
    spent: bool,
}

impl ByteBudget {
    /// Creates a budget of [`ClaimDue::max_bytes`](crate::store::ClaimDue::max_bytes).
    pub const fn new(max_bytes: usize) -> Self {
        Self { left: max_bytes, taken: false, spent: false }
    }

    /// Takes a body of this size. Returns false if it does not fit; then the claim should end.
    pub const fn take(&mut self, bytes: usize) -> bool {
        let fits = !self.spent && (bytes <= self.left || !self.taken);
        if fits {
            self.left = self.left.saturating_sub(bytes);
            self.taken = true;
        } else {
            self.spent = true;
        }
        fits
    }

    /// Returns true if a body did not fit.
    pub const fn is_spent(&self) -> bool {
        self.spent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_body_fits_and_the_first_that_does_not_ends_the_claim() {
        let table: [(usize, &[usize], &[bool]); 5] = [
            (10, &[4, 6, 1], &[true, true, false]),
            (10, &[11, 1], &[true, false]),
            (0, &[5, 0], &[true, true]),
            (10, &[4, 7, 1], &[true, false, false]),
            (usize::MAX, &[1, 2], &[true, true]),
        ];
        for (max_bytes, bodies, expected) in table {
            let mut budget = ByteBudget::new(max_bytes);
            let taken: Vec<_> = bodies.iter().map(|bytes| budget.take(*bytes)).collect();
            assert_eq!(taken, expected, "{bodies:?} within {max_bytes}");
            assert_eq!(budget.is_spent(), expected.contains(&false));
        }
    }
}
