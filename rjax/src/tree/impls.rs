//! Trees among the standard library's types.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;
use std::hash::Hash;
use std::marker::PhantomData;

use super::{Label, Tree, Visitor};
use crate::Array;

impl Tree for Array {
    type Jacobian<T: Tree> = T;

    fn visit<'a>(&'a self, visitor: &mut dyn Visitor<'a>) {
        visitor.leaf(self);
    }

    fn rebuild(&self, leaves: &mut dyn Iterator<Item = Array>) -> Self {
        leaves.next().expect("one leaf for each array")
    }

    fn jacobian<T: Tree>(&self, blocks: &mut dyn Iterator<Item = T>) -> T {
        blocks.next().expect("one block for each array")
    }
}

fn visit_all<'a, T: Tree>(kind: &'static str, items: &'a [T], visitor: &mut dyn Visitor<'a>) {
    visitor.open(kind, items.len());
    for (i, item) in items.iter().enumerate() {
        visitor.child(Label::Index(i));
        item.visit(visitor);
    }
    visitor.close();
}

impl<U: Tree> Tree for Vec<U> {
    type Jacobian<T: Tree> = Vec<U::Jacobian<T>>;

    fn visit<'a>(&'a self, visitor: &mut dyn Visitor<'a>) {
        visit_all("Vec", self, visitor);
    }

    fn rebuild(&self, leaves: &mut dyn Iterator<Item = Array>) -> Self {
        self.iter().map(|item| item.rebuild(leaves)).collect()
    }

    fn jacobian<T: Tree>(&self, blocks: &mut dyn Iterator<Item = T>) -> Self::Jacobian<T> {
        self.iter().map(|item| item.jacobian(blocks)).collect()
    }
}

impl<U: Tree, const N: usize> Tree for [U; N] {
    type Jacobian<T: Tree> = [U::Jacobian<T>; N];

    fn visit<'a>(&'a self, visitor: &mut dyn Visitor<'a>) {
        visit_all("array", self, visitor);
    }

    fn rebuild(&self, leaves: &mut dyn Iterator<Item = Array>) -> Self {
        std::array::from_fn(|i| self[i].rebuild(leaves))
    }

    fn jacobian<T: Tree>(&self, blocks: &mut dyn Iterator<Item = T>) -> Self::Jacobian<T> {
        std::array::from_fn(|i| self[i].jacobian(blocks))
    }
}

impl<U: Tree> Tree for Option<U> {
    type Jacobian<T: Tree> = Option<U::Jacobian<T>>;

    fn visit<'a>(&'a self, visitor: &mut dyn Visitor<'a>) {
        match self {
            Some(inner) => {
                visitor.open("Some", 1);
                visitor.child(Label::Index(0));
                inner.visit(visitor);
            }
            None => visitor.open("None", 0),
        }
        visitor.close();
    }

    fn rebuild(&self, leaves: &mut dyn Iterator<Item = Array>) -> Self {
        self.as_ref().map(|inner| inner.rebuild(leaves))
    }

    fn jacobian<T: Tree>(&self, blocks: &mut dyn Iterator<Item = T>) -> Self::Jacobian<T> {
        self.as_ref().map(|inner| inner.jacobian(blocks))
    }
}

impl<U: Tree> Tree for Box<U> {
    type Jacobian<T: Tree> = Box<U::Jacobian<T>>;

    fn visit<'a>(&'a self, visitor: &mut dyn Visitor<'a>) {
        (**self).visit(visitor);
    }

    fn rebuild(&self, leaves: &mut dyn Iterator<Item = Array>) -> Self {
        Box::new((**self).rebuild(leaves))
    }

    fn jacobian<T: Tree>(&self, blocks: &mut dyn Iterator<Item = T>) -> Self::Jacobian<T> {
        Box::new((**self).jacobian(blocks))
    }
}

impl<K: Ord + Clone + Debug + 'static, U: Tree> Tree for BTreeMap<K, U> {
    type Jacobian<T: Tree> = BTreeMap<K, U::Jacobian<T>>;

    fn visit<'a>(&'a self, visitor: &mut dyn Visitor<'a>) {
        visitor.open("BTreeMap", self.len());
        for (key, value) in self {
            visitor.child(Label::Key(key));
            value.visit(visitor);
        }
        visitor.close();
    }

    fn rebuild(&self, leaves: &mut dyn Iterator<Item = Array>) -> Self {
        self.iter().map(|(key, value)| (key.clone(), value.rebuild(leaves))).collect()
    }

    fn jacobian<T: Tree>(&self, blocks: &mut dyn Iterator<Item = T>) -> Self::Jacobian<T> {
        self.iter().map(|(key, value)| (key.clone(), value.jacobian(blocks))).collect()
    }
}

/// Entries by key, so that the order of leaves does not depend on the hasher.
fn sorted<K: Ord, U>(map: &HashMap<K, U>) -> Vec<(&K, &U)> {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_by_key(|&(key, _)| key);
    entries
}

impl<K: Ord + Hash + Clone + Debug + 'static, U: Tree> Tree for HashMap<K, U> {
    type Jacobian<T: Tree> = HashMap<K, U::Jacobian<T>>;

    fn visit<'a>(&'a self, visitor: &mut dyn Visitor<'a>) {
        visitor.open("HashMap", self.len());
        for (key, value) in sorted(self) {
            visitor.child(Label::Key(key));
            value.visit(visitor);
        }
        visitor.close();
    }

    fn rebuild(&self, leaves: &mut dyn Iterator<Item = Array>) -> Self {
        sorted(self).into_iter().map(|(key, value)| (key.clone(), value.rebuild(leaves))).collect()
    }

    fn jacobian<T: Tree>(&self, blocks: &mut dyn Iterator<Item = T>) -> Self::Jacobian<T> {
        sorted(self).into_iter().map(|(key, value)| (key.clone(), value.jacobian(blocks))).collect()
    }
}

impl<P: ?Sized + 'static> Tree for PhantomData<P> {
    type Jacobian<T: Tree> = PhantomData<P>;

    fn visit<'a>(&'a self, visitor: &mut dyn Visitor<'a>) {
        visitor.open("PhantomData", 0);
        visitor.close();
    }

    fn rebuild(&self, _: &mut dyn Iterator<Item = Array>) -> Self {
        PhantomData
    }

    fn jacobian<T: Tree>(&self, _: &mut dyn Iterator<Item = T>) -> Self {
        PhantomData
    }
}

macro_rules! tuples {
    ($($($name:ident $index:tt),*;)*) => {$(
        impl<$($name: Tree),*> Tree for ($($name,)*) {
            type Jacobian<T: Tree> = ($($name::Jacobian<T>,)*);

            fn visit<'a>(&'a self, visitor: &mut dyn Visitor<'a>) {
                visitor.open("", [$($index as usize),*].len());
                $(
                    visitor.child(Label::Index($index));
                    self.$index.visit(visitor);
                )*
                visitor.close();
            }

            fn rebuild(&self, leaves: &mut dyn Iterator<Item = Array>) -> Self {
                let _ = &leaves;
                ($(self.$index.rebuild(leaves),)*)
            }

            fn jacobian<T: Tree>(&self, blocks: &mut dyn Iterator<Item = T>) -> Self::Jacobian<T> {
                let _ = &blocks;
                ($(self.$index.jacobian(blocks),)*)
            }
        }
    )*};
}

impl Tree for () {
    type Jacobian<T: Tree> = ();

    fn visit<'a>(&'a self, visitor: &mut dyn Visitor<'a>) {
        visitor.open("", 0);
        visitor.close();
    }

    fn rebuild(&self, _: &mut dyn Iterator<Item = Array>) -> Self {}

    fn jacobian<T: Tree>(&self, _: &mut dyn Iterator<Item = T>) -> Self {}
}

tuples! {
    A 0;
    A 0, B 1;
    A 0, B 1, C 2;
    A 0, B 1, C 2, D 3;
    A 0, B 1, C 2, D 3, E 4;
    A 0, B 1, C 2, D 3, E 4, F 5;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10;
    A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11;
}
