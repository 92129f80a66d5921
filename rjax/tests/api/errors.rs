//! What users get wrong, message by message; and that the library works on after each.

use std::cell::RefCell;

use rjax::prelude::*;
use rjax::{Error, ErrorKind};

use crate::scalar;

fn ones(shape: &[usize]) -> Array {
    jnp::ones(shape, DType::F32)
}

/// Runs what must fail, and checks kind, text and that the place is in this file.
#[track_caller]
fn fails<R>(f: impl Fn() -> R, kind: ErrorKind, parts: &[&str]) {
    let run: Fun<'_, (Array,), ()> = (|_: &Array| {
        f();
    })
    .into_fun();
    check(run.try_call((&scalar(0.0),)).err(), kind, parts, true);
    // Neither trace nor anything else is left behind.
    assert_eq!(grad(|x: &Array| x * x)(&scalar(3.0)).item::<f32>(), 6.0);
}

#[track_caller]
fn check(error: Option<Error>, kind: ErrorKind, parts: &[&str], located: bool) {
    let error = error.expect("this must fail");
    let text = error.to_string();
    assert_eq!(error.kind, kind, "{text}");
    for part in parts {
        assert!(text.contains(part), "{text:?} does not mention {part:?}");
    }
    assert!(!located || text.contains("errors.rs:"), "{text:?} does not name this file");
    assert!(!error.message.ends_with('.'), "{text:?} ends with a full stop");
}

#[test]
fn shapes() {
    fails(|| ones(&[2]) + ones(&[3]), ErrorKind::Shape, &["add", "[2]", "[3]"]);
    fails(|| ones(&[2, 3]).dot(ones(&[2])), ErrorKind::Shape, &["dot_general", "3", "2"]);
    fails(|| ones(&[2, 3]).reshape([4]), ErrorKind::Shape, &["reshape", "[4]", "f32[2,3]"]);
    fails(|| ones(&[2, 3]).reshape([4, -1]), ErrorKind::Shape, &["reshape", "f32[2,3]"]);
    fails(|| Array::from_vec([3], vec![1.0f32]), ErrorKind::Shape, &["from_vec", "[3]", "found 1"]);
    fails(|| jnp::array(vec![vec![1.0], vec![1.0, 2.0]]), ErrorKind::Shape, &["array", "[2]", "[1]"]);
    fails(|| jnp::concatenate(&[ones(&[2, 2]), ones(&[2, 3])], 0), ErrorKind::Shape, &["concatenate"]);
    fails(|| ones(&[0]).max(..), ErrorKind::Shape, &["max", "no elements", "f32[0]"]);
    fails(|| ones(&[2]).at(0).set(ones(&[3])), ErrorKind::Shape, &["at", "f32[3]"]);
    fails(|| ones(&[2]).item::<f32>(), ErrorKind::Shape, &["item", "f32[2]", "one element"]);
    fails(|| ones(&[2]) > 0.0, ErrorKind::Shape, &[">", "f32[2]", "all or any"]);
    fails(
        || jnp::einsum("ij,jk->ik", &[&ones(&[2, 3]), &ones(&[4, 5])]),
        ErrorKind::Shape,
        &["einsum", "'j'", "3", "4"],
    );
    fails(|| jnp::broadcast_to(&ones(&[2]), [3]), ErrorKind::Shape, &["broadcast_to", "[2]", "[3]"]);
}

#[test]
fn dtypes() {
    fails(|| lax::add(ones(&[2]), jnp::arange(2)), ErrorKind::DType, &["add", "f32", "i32"]);
    fails(|| lax::sin(jnp::arange(2)), ErrorKind::DType, &["sin", "i32"]);
    fails(|| jnp::arange(2).item::<f32>(), ErrorKind::Shape, &["item"]);
    fails(|| scalar(1.0).item::<i32>(), ErrorKind::DType, &["item", "f32", "i32", "astype"]);
    fails(|| jnp::arange(3).pow(-1), ErrorKind::DType, &["power", "-1"]);
    fails(|| jnp::zeros([2], DType::I8) + 1000, ErrorKind::DType, &["1000", "i8"]);
    fails(|| ones(&[3]).index(ones(&[1])), ErrorKind::DType, &["index", "f32[1]", "integers"]);
    fails(|| random::bits(&Key::new(0), [2], DType::F32), ErrorKind::DType, &["bits", "f32"]);
}

#[test]
fn axes_and_parameters() {
    fails(|| ones(&[2, 3]).sum(2), ErrorKind::Parameter, &["sum", "axis 2", "2 axes"]);
    fails(|| ones(&[2, 3]).sum([0, -2]), ErrorKind::Parameter, &["sum", "twice"]);
    fails(|| ones(&[2, 3]).argmax(-3), ErrorKind::Parameter, &["argmax", "-3"]);
    fails(|| ones(&[2, 3]).transpose(&[0]), ErrorKind::Parameter, &["transpose", "f32[2,3]"]);
    fails(|| ones(&[2]).index((0, 0)), ErrorKind::Parameter, &["index", "2 indices", "f32[2]"]);
    fails(|| jnp::split(&ones(&[5]), 2, 0), ErrorKind::Parameter, &["split", "2", "f32[5]"]);
    fails(|| vmap(|x: &Array| x.sin(), axes![1])(&ones(&[2])), ErrorKind::Parameter, &["vmap", "axis 1", "f32[2]"]);
}

#[test]
fn trees_and_counts() {
    let pair = (ones(&[2]), ones(&[3]));
    fails(
        || vmap(|p: &(Array, Array)| p.0.clone(), axes![[0, 0, 0]])(&pair),
        ErrorKind::Structure,
        &["vmap", "3 axes", "2 children", "(*, *)"],
    );
    fails(
        || vmap(|p: &(Array, Array)| p.0.clone(), axes![0])(&pair),
        ErrorKind::Shape,
        &["vmap", "batch sizes differ", "argument 0 at [0]", "2", "[1]", "3"],
    );
    fails(
        || vmap(|x: &Array| x.sin(), axes![_])(&ones(&[2])),
        ErrorKind::Structure,
        &["vmap", "no argument is mapped"],
    );
    fails(
        || tree::map2(|a, b| a + b, &vec![ones(&[1])], &vec![ones(&[1]), ones(&[1])]),
        ErrorKind::Structure,
        &["tree::map2", "Vec(*)", "Vec(*, *)"],
    );
    fails(
        || lax::cond(true, |x: &Array| x.clone(), |x: &Array| x.astype(DType::I32), &scalar(1.0)),
        ErrorKind::DType,
        &["cond", "f32[]", "i32[]"],
    );
    fails(
        || lax::scan(|c: &Array, _: &Array| (jnp::stack(&[c, c], 0), ()), scalar(0.0), &ones(&[2])),
        ErrorKind::Shape,
        &["scan", "carry", "f32[]", "f32[2]"],
    );
    fails(
        || lax::while_loop(|x: &Array| x.clone(), |x: &Array| x * 2.0, scalar(1.0)),
        ErrorKind::DType,
        &["while_loop", "condition", "f32[]", "bool[]"],
    );
    fails(
        || jvp(|x: &Array| x.sin(), (&ones(&[2]),), (&ones(&[3]),)),
        ErrorKind::Shape,
        &["jvp", "tangent of argument 0", "f32[3]", "f32[2]"],
    );
    let (_, pullback) = vjp(|x: &Array| x.sum(..), (&ones(&[2]),));
    let error = pullback.try_call((&ones(&[2]),)).err();
    check(error, ErrorKind::Shape, &["vjp", "cotangent", "f32[2]", "f32[]"], false);
    let compiled = jit(|x: &Array| x * 2.0).lower((&ones(&[2]),)).unwrap().compile().unwrap();
    let error = compiled.call((&ones(&[3]),)).err();
    check(error, ErrorKind::Shape, &["argument 0", "f32[3]", "f32[2]"], false);
}

#[test]
fn losses_and_arguments_of_grad() {
    fails(|| grad(|x: &Array| x.sin())(&ones(&[3])), ErrorKind::Shape, &["grad", "f32[3]", "scalar", "jacrev"]);
    fails(
        || grad(|x: &Array| x.astype(DType::I32))(&scalar(1.0)),
        ErrorKind::DType,
        &["grad", "i32[]", "floating-point"],
    );
    fails(|| grad(|x: &Array| lax::complex(x, 1.0f32))(&scalar(1.0)), ErrorKind::DType, &["grad", "c64[]", "real"]);
    fails(
        || grad(|x: &Array| x.astype(DType::F32))(&Array::scalar(1i32)),
        ErrorKind::DType,
        &["grad", "argument 0", "i32[]", "no derivative"],
    );
    let pair = (scalar(1.0), Array::scalar(1i32));
    fails(|| grad(|p: &(Array, Array)| &p.0 * &p.1)(&pair), ErrorKind::DType, &["argument 0 at [1]", "i32[]"]);
    fails(
        || grad_argnums(|x: &Array, n: &Array| x * n, Arg::<1>)(&scalar(1.0), &Array::scalar(2i32)),
        ErrorKind::DType,
        &["argument 1", "i32[]"],
    );
    let endless = |x: &Array| lax::while_loop(|x: &Array| x.lt(10.0), |x: &Array| x * 2.0, x.clone());
    fails(|| grad(endless)(&scalar(1.0)), ErrorKind::NotDifferentiable, &["while"]);
}

#[test]
fn escaped_values() {
    let stolen: RefCell<Option<Array>> = RefCell::new(None);
    let f = |x: &Array| {
        let y = x * 2.0;
        stolen.replace(Some(y.clone()));
        y
    };
    grad(f)(&scalar(1.0));
    let leak = stolen.borrow().clone().unwrap();
    fails(|| &leak + 1.0, ErrorKind::EscapedTracer, &["f32[]", "errors.rs", "under grad", "return it"]);
    fails(|| leak.item::<f32>(), ErrorKind::EscapedTracer, &["after its trace had ended"]);
    fails(|| grad(|x: &Array| x * &leak)(&scalar(1.0)), ErrorKind::EscapedTracer, &["f32[]"]);
    // An inner variable used in the outer function, after the inner one has returned.
    let outer = |x: &Array| {
        jit(|y: &Array| {
            stolen.replace(Some(y * x));
            y.clone()
        })(x);
        stolen.borrow().clone().unwrap() * 2.0
    };
    fails(|| grad(outer)(&scalar(1.0)), ErrorKind::EscapedTracer, &["under jit"]);
}

#[test]
fn values_that_are_gone_or_never_were() {
    let state = ones(&[2]);
    let step = jit(|x: &Array| x + 1.0).donate(axes![0]);
    step(&state);
    assert!(state.is_deleted());
    fails(|| &state + 1.0, ErrorKind::Structure, &["donated"]);
    fails(|| Array::spec(DType::F32, [2]) + 1.0, ErrorKind::Structure, &["Array::spec", "f32[2]"]);
}

#[test]
fn named_axes_outside_of_their_vmap() {
    let error = jit(|x: &Array| lax::psum(x, "batch")).try_call((&scalar(1.0),)).err();
    check(error, ErrorKind::Unsupported, &["psum", "axis"], false);
}

#[test]
fn other_panics_go_through() {
    let f: Fun<'_, (Array,), Array> = (|_: &Array| -> Array { panic!("not an rjax error") }).into_fun();
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| grad(f).try_call((&scalar(1.0),))));
    assert_eq!(*caught.err().unwrap().downcast::<&str>().unwrap(), "not an rjax error");
    assert_eq!(grad(|x: &Array| x * x)(&scalar(3.0)).item::<f32>(), 6.0);
}
