//! Derivatives of a struct: one block for each of its leaves.

use super::{Label, Tree, Visitor};
use crate::Array;

/// The derivative of a derived tree `Y` with respect to a `T`: a `T` for each leaf of `Y`, in the order of [`leaves`](super::leaves).
#[derive(Clone)]
pub struct Blocks<T: Tree>(pub Vec<T>);

impl<T: Tree> Tree for Blocks<T> {
    type Jacobian<U: Tree> = Blocks<T::Jacobian<U>>;

    fn visit<'a>(&'a self, visitor: &mut dyn Visitor<'a>) {
        visitor.open("Blocks", self.0.len());
        for (i, block) in self.0.iter().enumerate() {
            visitor.child(Label::Index(i));
            block.visit(visitor);
        }
        visitor.close();
    }

    fn rebuild(&self, leaves: &mut dyn Iterator<Item = Array>) -> Self {
        Blocks(self.0.iter().map(|block| block.rebuild(leaves)).collect())
    }

    fn jacobian<U: Tree>(&self, blocks: &mut dyn Iterator<Item = U>) -> Self::Jacobian<U> {
        Blocks(self.0.iter().map(|block| block.jacobian(blocks)).collect())
    }
}
