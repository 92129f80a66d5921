//! Functions that transformations take and return.
//!
//! A [`Fun`] is called like a function, can be named in a struct and passed on to the next transformation. Anything
//! callable with one to eight shared references to [trees](Tree) becomes one:
//!
//! ```
//! use rjax::prelude::*;
//!
//! struct Model {
//!     slope: Fun<'static, (Array, Array), Array>,
//! }
//!
//! let model = Model { slope: grad(|x: &Array, k: &Array| x.sin() * k) };
//! let (x, k) = (Array::scalar(0.0f32), Array::scalar(3.0f32));
//! assert_eq!((model.slope)(&x, &k).item::<f32>(), 3.0);
//! ```

use std::ops::Deref;
use std::panic::Location;
use std::rc::Rc;
use std::sync::Arc;

use rjax_ir::{Program, Result};

use crate::tree::{Axis, Visitor};
use crate::{Array, Tree, error, transform};

/// The arguments of a function: a tuple of one to eight trees, which the function takes by reference.
pub trait Args: Tree {
    /// `dyn Fn(&A, &B, …) -> R`.
    type DynFn<'f, R: 'f>: ?Sized + 'f;
    /// `(&A, &B, …)`.
    type Refs<'a>: Copy;
    /// One axis specification for each argument.
    type Axes: AsRef<[Axis]> + Clone + 'static;

    /// References to the members.
    fn refs(&self) -> Self::Refs<'_>;
    /// The arguments as an owned tuple.
    fn owned(refs: Self::Refs<'_>) -> Self;
    /// Shows a visitor the arguments, as a tuple.
    fn visit_refs<'a>(refs: Self::Refs<'a>, visitor: &mut dyn Visitor<'a>);
    /// Shows a visitor one argument.
    fn visit_argument<'a>(refs: Self::Refs<'a>, position: usize, visitor: &mut dyn Visitor<'a>);
    /// Calls the function.
    fn call<'f, R: 'f>(f: &Self::DynFn<'f, R>, refs: Self::Refs<'_>) -> R;
    /// Makes a function of one tuple a function of its members.
    fn make<'f, R: 'f>(f: impl for<'a> Fn(Self::Refs<'a>) -> R + 'f) -> Rc<Self::DynFn<'f, R>>;
}

/// A function on trees of arrays: see the [module](self).
pub struct Fun<'f, I: Args, R: 'f> {
    call: Rc<I::DynFn<'f, R>>,
    name: Arc<str>,
}

impl<'f, I: Args, R: 'f> Clone for Fun<'f, I, R> {
    fn clone(&self) -> Self {
        Fun { call: self.call.clone(), name: self.name.clone() }
    }
}

impl<'f, I: Args, R: 'f> Deref for Fun<'f, I, R> {
    type Target = I::DynFn<'f, R>;
    fn deref(&self) -> &Self::Target {
        &self.call
    }
}

impl<'f, I: Args, R: 'f> Fun<'f, I, R> {
    /// A function of a tuple of references. Errors in the library's own part of it are reported where it was made.
    #[track_caller]
    pub(crate) fn new(name: impl Into<Arc<str>>, f: impl for<'a> Fn(I::Refs<'a>) -> R + 'f) -> Fun<'f, I, R> {
        let site = Location::caller();
        let call = I::make(move |arguments: I::Refs<'_>| error::at_call_site(site, || f(arguments)));
        Fun { call, name: name.into() }
    }

    /// What messages and programs call the function.
    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    /// The same function under another name.
    pub fn named(mut self, name: &str) -> Fun<'f, I, R> {
        self.name = name.into();
        self
    }

    /// Calls the function with a tuple of references: what `f(&x, &y)` does, for code that is generic over the arguments.
    pub fn apply(&self, arguments: I::Refs<'_>) -> R {
        I::call(&self.call, arguments)
    }

    /// Calls the function; what an op inside got wrong comes back as an error instead of a panic.
    ///
    /// ```
    /// use rjax::prelude::*;
    /// let f = grad(|x: &Array| x.dot(&jnp::ones([3], DType::F32)));
    /// let error = f.try_call((&jnp::ones([2], DType::F32),)).err().unwrap();
    /// assert_eq!(error.kind, rjax::ErrorKind::Shape);
    /// ```
    pub fn try_call(&self, arguments: I::Refs<'_>) -> Result<R> {
        error::catch(|| self.apply(arguments))
    }
}

impl<'f, I: Args, R: Tree> Fun<'f, I, R> {
    /// The program that the function records on arguments of these types. Captured arrays are its constants.
    pub fn trace(&self, arguments: I::Refs<'_>) -> Result<Program> {
        error::catch(|| transform::closed_program(self, arguments))
    }
}

/// What becomes a [`Fun`]: functions and closures of references to trees, and what transformations return.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a function that can be transformed here",
    label = "expected a function of one to eight shared references to trees, such as `|p: &Params, x: &Array| -> Array`",
    note = "arguments are taken by reference, closure arguments need their types, and `grad` needs a function that returns an `Array`"
)]
pub trait IntoFun<'f, I: Args, R: 'f, Marker = ()> {
    /// The function as a `Fun`.
    fn into_fun(self) -> Fun<'f, I, R>;
}

/// Marks the conversion of a [`Fun`] to itself.
pub struct Same;

impl<'f, I: Args, R: 'f> IntoFun<'f, I, R, Same> for Fun<'f, I, R> {
    fn into_fun(self) -> Fun<'f, I, R> {
        self
    }
}

impl<'f, I: Args, R: 'f> IntoFun<'f, I, R, Same> for &Fun<'f, I, R> {
    fn into_fun(self) -> Fun<'f, I, R> {
        self.clone()
    }
}

/// The user's name for a function: the last part of its path; closures are named after the function they stand in.
fn short_name<F>() -> Arc<str> {
    let path = std::any::type_name::<F>();
    let plain = path.split('<').next().unwrap_or(path);
    let mut parts = plain.rsplit("::").filter(|part| !part.is_empty());
    match parts.next() {
        Some("{{closure}}") => match parts.find(|part| *part != "{{closure}}") {
            Some(outer) => format!("closure in {outer}").into(),
            None => "closure".into(),
        },
        Some(name) => name.into(),
        None => path.into(),
    }
}

macro_rules! arguments {
    ($($($name:ident $index:tt $x:ident),*; )*) => {$(
        impl<$($name: Tree),*> Args for ($($name,)*) {
            type DynFn<'f, Out: 'f> = dyn Fn($(&$name),*) -> Out + 'f;
            type Refs<'a> = ($(&'a $name,)*);
            type Axes = [Axis; [$($index),*].len()];

            fn refs(&self) -> Self::Refs<'_> {
                ($(&self.$index,)*)
            }

            fn owned(refs: Self::Refs<'_>) -> Self {
                ($(refs.$index.clone(),)*)
            }

            fn visit_refs<'a>(refs: Self::Refs<'a>, visitor: &mut dyn Visitor<'a>) {
                visitor.open("", [$($index as usize),*].len());
                $(
                    visitor.child(crate::tree::Label::Index($index));
                    refs.$index.visit(visitor);
                )*
                visitor.close();
            }

            fn visit_argument<'a>(refs: Self::Refs<'a>, position: usize, visitor: &mut dyn Visitor<'a>) {
                $(if position == $index {
                    refs.$index.visit(visitor);
                })*
            }

            fn call<'f, Out: 'f>(f: &Self::DynFn<'f, Out>, refs: Self::Refs<'_>) -> Out {
                f($(refs.$index),*)
            }

            fn make<'f, Out: 'f>(f: impl for<'a> Fn(Self::Refs<'a>) -> Out + 'f) -> Rc<Self::DynFn<'f, Out>> {
                Rc::new(move |$($x: &$name),*| f(($($x,)*)))
            }
        }

        impl<'f, Function, Out: 'f, $($name: Tree),*> IntoFun<'f, ($($name,)*), Out> for Function
        where
            Function: Fn($(&$name),*) -> Out + 'f,
        {
            fn into_fun(self) -> Fun<'f, ($($name,)*), Out> {
                Fun { call: Rc::new(self), name: short_name::<Function>() }
            }
        }
    )*};
}

arguments! {
    A 0 a;
    A 0 a, B 1 b;
    A 0 a, B 1 b, C 2 c;
    A 0 a, B 1 b, C 2 c, D 3 d;
    A 0 a, B 1 b, C 2 c, D 3 d, E 4 e;
    A 0 a, B 1 b, C 2 c, D 3 d, E 4 e, F 5 f;
    A 0 a, B 1 b, C 2 c, D 3 d, E 4 e, F 5 f, G 6 g;
    A 0 a, B 1 b, C 2 c, D 3 d, E 4 e, F 5 f, G 6 g, H 7 h;
}

/// The leaves of arguments.
pub(crate) fn argument_leaves<'a, I: Args>(refs: I::Refs<'a>) -> Vec<&'a Array> {
    crate::tree::collect(|v| I::visit_refs(refs, v))
}

/// What messages call a leaf of the arguments: `argument 0 at .w`.
pub(crate) fn leaf_name<I: Args>(refs: I::Refs<'_>, leaf: usize) -> String {
    let path = &crate::tree::paths_of(|v| I::visit_refs(refs, v))[leaf];
    let (position, rest) = path[1..].split_once(']').expect("paths of arguments begin with a position");
    if rest.is_empty() { format!("argument {position}") } else { format!("argument {position} at {rest}") }
}
