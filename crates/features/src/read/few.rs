//! Values that lie on the stack as long as they are few.

/// How many places and tails are usual in a plan.
const FEW: usize = 16;

/// So many default values.
pub(super) struct Few<T> {
    few: [T; FEW],
    many: Vec<T>,
    length: usize,
}

impl<T: Copy + Default> Few<T> {
    pub(super) fn new(length: usize) -> Self {
        let many = if length > FEW { vec![T::default(); length] } else { Vec::new() };
        Self { few: [T::default(); FEW], many, length }
    }

    pub(super) fn as_mut(&mut self) -> &mut [T] {
        if self.length > FEW { &mut self.many } else { &mut self.few[..self.length] }
    }
}
