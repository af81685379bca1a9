//! Chance that a seed repeats.

use std::cell::RefCell;
use std::rc::Rc;

use crate::random::Random;

/// A generator that can be shared.
#[derive(Clone)]
pub struct Dice(Rc<RefCell<Random>>);

impl Dice {
    /// The dice of a seed; `stream` keeps uses of one seed apart.
    pub fn new(seed: u64, stream: u64) -> Dice {
        let mut random = Random::new(seed ^ stream.wrapping_mul(0xd6e8_feb8_6659_fd93));
        Dice(Rc::new(RefCell::new(random.fork())))
    }

    /// 64 random bits.
    pub fn bits(&self) -> u64 {
        self.0.borrow_mut().next()
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        self.0.borrow_mut().below(bound)
    }

    /// A number from `low` to `high`, both included.
    pub fn range(&self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// Whether a thing happens that happens once in `n` times; never if `n` is 0.
    pub fn one_in(&self, n: u64) -> bool {
        n > 0 && self.below(n) == 0
    }

    /// One of these.
    pub fn pick<'a, T>(&self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }
}
