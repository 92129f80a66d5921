//! Trees: nested Rust values whose leaves are arrays.
//!
//! Parameters, gradients, optimizer states and batches are trees, and every transformation takes and returns them with
//! their own Rust types. Derive the trait for structs and enums; fields that are not arrays are marked static and become part
//! of the key under which `jit` caches.
//!
//! ```
//! use rjax::prelude::*;
//!
//! #[derive(Clone, Tree)]
//! struct Layer {
//!     w: Array,
//!     b: Array,
//!     #[tree(static)]
//!     activation: &'static str,
//! }
//!
//! let layer = Layer { w: jnp::ones([2, 3], DType::F32), b: jnp::zeros([3], DType::F32), activation: "tanh" };
//! let halved = tree::map(|x| x * 0.5, &layer);
//! assert_eq!(halved.w.to_vec::<f32>(), [0.5; 6]);
//! assert_eq!(tree::paths(&vec![layer]), ["[0].w", "[0].b"]);
//! ```

mod axes;
mod blocks;
mod impls;

use std::fmt::{self, Debug, Write};

pub use axes::Axis;
pub(crate) use axes::resolve;
pub use blocks::Blocks;
pub use rjax_derive::Tree;

use crate::Array;

/// A value whose leaves are arrays.
///
/// An implementation walks its children in a fixed order in [`visit`](Tree::visit) and builds a value of the same structure
/// from new leaves, taken in that order, in [`rebuild`](Tree::rebuild).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a tree of arrays",
    label = "not a tree of arrays",
    note = "derive it with `#[derive(Clone, Tree)]`; mark fields that are no arrays with `#[tree(static)]`"
)]
pub trait Tree: Clone + 'static {
    /// The type of a derivative of a value of this type with respect to a `T`: this tree with a `T` at each leaf.
    type Jacobian<T: Tree>: Tree;

    /// Shows the visitor this value's structure and leaves.
    fn visit<'a>(&'a self, visitor: &mut dyn Visitor<'a>);

    /// A value of this structure with the leaves that `leaves` yields.
    fn rebuild(&self, leaves: &mut dyn Iterator<Item = Array>) -> Self;

    /// A derivative of this structure from one block for each leaf.
    fn jacobian<T: Tree>(&self, blocks: &mut dyn Iterator<Item = T>) -> Self::Jacobian<T>;
}

/// What walks over a [`Tree`].
pub trait Visitor<'a> {
    /// An array.
    fn leaf(&mut self, array: &'a Array);
    /// A node with `children` children begins; `kind` tells nodes of one shape apart (a type or variant name).
    fn open(&mut self, kind: &'static str, children: usize);
    /// The next child follows.
    fn child(&mut self, label: Label<'_>);
    /// The node ends.
    fn close(&mut self);
    /// A static value: no leaf, but part of the structure.
    fn fixed(&mut self, value: &dyn Debug);
}

/// How a node names a child.
#[derive(Clone, Copy)]
pub enum Label<'k> {
    /// A field of a struct.
    Field(&'static str),
    /// A position.
    Index(usize),
    /// A key of a map.
    Key(&'k dyn Debug),
}

impl fmt::Display for Label<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Label::Field(name) => write!(f, ".{name}"),
            Label::Index(index) => write!(f, "[{index}]"),
            Label::Key(key) => write!(f, "[{key:?}]"),
        }
    }
}

/// The leaves of a tree, in order.
pub fn leaves<T: Tree>(tree: &T) -> Vec<Array> {
    collect(|v| tree.visit(v)).into_iter().cloned().collect()
}

/// A tree of the same structure with other leaves. Panics unless there are as many as the tree has.
#[track_caller]
pub fn unflatten<T: Tree>(like: &T, leaves: impl IntoIterator<Item = Array>) -> T {
    let mut leaves = leaves.into_iter();
    let expected = collect(|v| like.visit(v)).len();
    let mut taken = 0;
    let tree = like.rebuild(&mut std::iter::from_fn(|| {
        let next = leaves.next();
        if next.is_none() {
            crate::error::fail_with(
                rjax_ir::ErrorKind::Structure,
                format!("unflatten: the tree has {expected} leaves, {taken} were given"),
            )
        }
        taken += 1;
        next
    }));
    let extra = leaves.count();
    if extra > 0 {
        crate::error::fail_with(
            rjax_ir::ErrorKind::Structure,
            format!("unflatten: the tree has {expected} leaves, {} were given", expected + extra),
        )
    }
    tree
}

/// Applies `f` to every leaf.
pub fn map<T: Tree>(mut f: impl FnMut(&Array) -> Array, tree: &T) -> T {
    tree.rebuild(&mut collect(|v| tree.visit(v)).into_iter().map(&mut f))
}

/// Applies `f` to corresponding leaves of two trees of one structure.
#[track_caller]
pub fn map2<T: Tree>(mut f: impl FnMut(&Array, &Array) -> Array, a: &T, b: &T) -> T {
    same_structure("tree::map2", a, b);
    let pairs = collect(|v| a.visit(v)).into_iter().zip(collect(|v| b.visit(v)));
    a.rebuild(&mut pairs.map(|(x, y)| f(x, y)))
}

/// Applies `f` to corresponding leaves of three trees of one structure.
#[track_caller]
pub fn map3<T: Tree>(mut f: impl FnMut(&Array, &Array, &Array) -> Array, a: &T, b: &T, c: &T) -> T {
    same_structure("tree::map3", a, b);
    same_structure("tree::map3", a, c);
    let (ys, zs) = (collect(|v| b.visit(v)), collect(|v| c.visit(v)));
    let triples = collect(|v| a.visit(v)).into_iter().zip(ys).zip(zs);
    a.rebuild(&mut triples.map(|((x, y), z)| f(x, y, z)))
}

/// Applies `f` to every leaf with its path.
pub fn map_with_path<T: Tree>(mut f: impl FnMut(&str, &Array) -> Array, tree: &T) -> T {
    let paths = paths(tree);
    tree.rebuild(&mut collect(|v| tree.visit(v)).into_iter().zip(&paths).map(|(x, path)| f(path, x)))
}

/// Folds the leaves, first to last.
pub fn reduce<T: Tree, A>(f: impl FnMut(A, &Array) -> A, tree: &T, init: A) -> A {
    collect(|v| tree.visit(v)).into_iter().fold(init, f)
}

/// Where each leaf stands: `[0].w`, `.1["bias"]`.
pub fn paths<T: Tree>(tree: &T) -> Vec<String> {
    paths_of(|v| tree.visit(v))
}

/// The structure as text, leaves as `*`: equal for trees that fit together.
pub fn structure<T: Tree>(tree: &T) -> String {
    structure_of(|v| tree.visit(v))
}

#[track_caller]
fn same_structure<T: Tree>(function: &str, a: &T, b: &T) {
    let (left, right) = (structure(a), structure(b));
    if left != right {
        crate::error::fail_with(
            rjax_ir::ErrorKind::Structure,
            format!("{function}: the trees differ in structure: {left} and {right}"),
        )
    }
}

/// The leaves that a walk shows.
pub(crate) fn collect<'a>(walk: impl FnOnce(&mut dyn Visitor<'a>)) -> Vec<&'a Array> {
    struct Leaves<'a>(Vec<&'a Array>);
    impl<'a> Visitor<'a> for Leaves<'a> {
        fn leaf(&mut self, array: &'a Array) {
            self.0.push(array);
        }
        fn open(&mut self, _: &'static str, _: usize) {}
        fn child(&mut self, _: Label<'_>) {}
        fn close(&mut self) {}
        fn fixed(&mut self, _: &dyn Debug) {}
    }
    let mut leaves = Leaves(Vec::new());
    walk(&mut leaves);
    leaves.0
}

/// The paths of the leaves that a walk shows.
pub(crate) fn paths_of<'a>(walk: impl FnOnce(&mut dyn Visitor<'a>)) -> Vec<String> {
    #[derive(Default)]
    struct Paths {
        stack: Vec<String>,
        paths: Vec<String>,
    }
    impl<'a> Visitor<'a> for Paths {
        fn leaf(&mut self, _: &'a Array) {
            self.paths.push(self.stack.concat());
        }
        fn open(&mut self, _: &'static str, _: usize) {
            self.stack.push(String::new());
        }
        fn child(&mut self, label: Label<'_>) {
            *self.stack.last_mut().expect("a child has a parent") = label.to_string();
        }
        fn close(&mut self) {
            self.stack.pop();
        }
        fn fixed(&mut self, _: &dyn Debug) {}
    }
    let mut paths = Paths::default();
    walk(&mut paths);
    paths.paths
}

/// The structure that a walk shows, as text.
pub(crate) fn structure_of<'a>(walk: impl FnOnce(&mut dyn Visitor<'a>)) -> String {
    #[derive(Default)]
    struct Structure {
        text: String,
        first: Vec<bool>,
    }
    impl<'a> Visitor<'a> for Structure {
        fn leaf(&mut self, _: &'a Array) {
            self.text.push('*');
        }
        fn open(&mut self, kind: &'static str, _: usize) {
            self.text.push_str(kind);
            self.text.push('(');
            self.first.push(true);
        }
        fn child(&mut self, label: Label<'_>) {
            let first = self.first.last_mut().expect("a child has a parent");
            if !std::mem::replace(first, false) {
                self.text.push_str(", ");
            }
            match label {
                Label::Field(name) => write!(self.text, "{name}: "),
                Label::Key(key) => write!(self.text, "{key:?}: "),
                Label::Index(_) => Ok(()),
            }
            .expect("writing to a string");
        }
        fn close(&mut self) {
            self.text.push(')');
            self.first.pop();
        }
        fn fixed(&mut self, value: &dyn Debug) {
            write!(self.text, "{value:?}").expect("writing to a string");
        }
    }
    let mut structure = Structure::default();
    walk(&mut structure);
    structure.text
}
