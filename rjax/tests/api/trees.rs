//! Trees: derived ones, those of the standard library, and what they do for transformations.

use std::collections::{BTreeMap, HashMap};

use rjax::prelude::*;

use crate::{assert_values, scalar};

#[derive(Clone, Debug, PartialEq)]
enum Activation {
    Tanh,
    Relu,
}

#[derive(Clone, Tree)]
struct Layer {
    w: Array,
    b: Option<Array>,
    #[tree(static)]
    activation: Activation,
}

#[derive(Clone, Tree)]
struct Model<H> {
    layers: Vec<Layer>,
    head: Box<H>,
    scale: [Array; 2],
}

#[derive(Clone, Tree)]
enum State {
    Cold,
    Warm(Array, u32_::Steps),
    Hot { x: Array },
}

mod u32_ {
    use rjax::prelude::*;
    #[derive(Clone, Tree)]
    pub struct Steps(#[tree(static)] pub u32, pub Array);
}

fn model() -> Model<(Array, ())> {
    let layer = |k: f32, b: Option<Array>| Layer { w: scalar(k), b, activation: Activation::Tanh };
    Model {
        layers: vec![layer(1.0, Some(scalar(2.0))), layer(3.0, None)],
        head: Box::new((scalar(4.0), ())),
        scale: [scalar(5.0), scalar(6.0)],
    }
}

#[test]
fn leaves_paths_and_structure() {
    let model = model();
    assert_eq!(
        tree::leaves(&model).iter().map(|x| x.item::<f32>()).collect::<Vec<_>>(),
        [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    );
    assert_eq!(
        tree::paths(&model),
        [".layers[0].w", ".layers[0].b[0]", ".layers[1].w", ".head[0]", ".scale[0]", ".scale[1]"]
    );
    let text = tree::structure(&model);
    assert!(text.contains("Tanh") && text.contains("None()"), "{text}");
    let doubled = tree::map(|x| x * 2.0, &model);
    assert_values(doubled.layers[0].b.as_ref().unwrap(), &[4.0], 0.0);
    assert_eq!(doubled.layers[0].activation, Activation::Tanh);
}

#[test]
fn enums_choose_by_variant() {
    let states = [State::Cold, State::Warm(scalar(1.0), u32_::Steps(3, scalar(2.0))), State::Hot { x: scalar(3.0) }];
    let f = jit(|s: &State| match s {
        State::Cold => scalar(0.0),
        State::Warm(x, steps) => x * steps.0 as f32 + &steps.1,
        State::Hot { x } => x.clone(),
    });
    let results: Vec<f32> = states.iter().map(|s| f(s).item()).collect();
    assert_eq!(results, [0.0, 5.0, 3.0]);
    assert_eq!(f.cache_misses(), 3);
}

#[test]
fn maps_have_their_leaves_in_the_order_of_keys() {
    let names = ["z", "a", "m"];
    let hash: HashMap<&'static str, Array> = names.iter().zip(0..).map(|(k, i)| (*k, scalar(i as f32))).collect();
    let tree_map: BTreeMap<&'static str, Array> = hash.clone().into_iter().collect();
    assert_eq!(tree::paths(&hash), ["[\"a\"]", "[\"m\"]", "[\"z\"]"]);
    let g = grad(|m: &HashMap<&'static str, Array>| &m["a"] * &m["z"] * 10.0)(&hash);
    assert_values(&g["a"], &[0.0], 0.0);
    assert_values(&g["z"], &[10.0], 0.0);
    assert_values(&g["m"], &[0.0], 0.0);
    let g = grad(|m: &BTreeMap<&'static str, Array>| m["m"].square())(&tree_map);
    assert_values(&g["m"], &[4.0], 0.0);
}

#[test]
fn gradients_have_the_parameters_type() {
    let loss = |m: &Model<(Array, ())>, x: &Array| {
        let mut h = x.clone();
        for layer in &m.layers {
            h = h * &layer.w;
            if let Some(b) = &layer.b {
                h = h + b;
            }
            h = match layer.activation {
                Activation::Tanh => h.tanh(),
                Activation::Relu => h.relu(),
            };
        }
        h * &m.head.0 * &m.scale[0]
    };
    let g: Model<(Array, ())> = jit(grad(loss))(&model(), &scalar(0.5));
    assert_values(&g.scale[1], &[0.0], 0.0);
    assert!(g.layers[1].b.is_none());
    let relu = Model { layers: vec![Layer { activation: Activation::Relu, ..model().layers[0].clone() }], ..model() };
    assert_values(&grad(loss)(&relu, &scalar(0.5)).layers[0].w, &[10.0], 1e-6);
}

#[test]
fn jit_sees_structure_and_static_values() {
    let f = jit(|layers: &Vec<Layer>| layers.iter().map(|l| &l.w * 2.0).sum::<Array>());
    let layer = |activation| Layer { w: scalar(1.0), b: None, activation };
    f(&vec![layer(Activation::Tanh)]);
    f(&vec![layer(Activation::Tanh)]);
    assert_eq!(f.cache_misses(), 1);
    f(&vec![layer(Activation::Relu)]);
    f(&vec![layer(Activation::Relu), layer(Activation::Relu)]);
    assert_eq!(f.cache_misses(), 3);
    let reasons = f.explain_cache_misses();
    assert!(
        reasons[0].contains("first time") && reasons[1].contains("Relu") && reasons[1].contains("Tanh"),
        "{reasons:?}"
    );
}

#[test]
fn axes_are_trees_too() {
    let f = |p: &(Array, Vec<Array>), x: &Array| &p.0 * x + &p.1[0] - &p.1[1];
    let batched = vmap(f, axes![[_, [0, 1]], 0]);
    let p = (scalar(10.0), vec![jnp::array([1.0, 2.0]), jnp::zeros([1, 2], DType::F32).index((0,)).reshape([1, 2])]);
    let y = batched(&p, &jnp::array([1.0, 2.0]));
    assert_eq!(y.shape()[..], [2, 1]);
    assert_values(&y, &[11.0, 22.0], 0.0);
}

#[test]
fn derivatives_of_structs_are_blocks() {
    let f = |x: &Array| Layer { w: x * 2.0, b: Some(x.square()), activation: Activation::Tanh };
    let j = jacfwd(f)(&scalar(3.0));
    assert_eq!(j.0.iter().map(|x| x.item::<f32>()).collect::<Vec<_>>(), [2.0, 6.0]);
}

#[test]
fn key_is_a_tree() {
    let f = jit(|(key, x): &(Key, Array)| x + random::normal(key, [2], DType::F32));
    let a = f(&(Key::new(1), scalar(0.0)));
    assert_eq!(a.to_vec::<f32>(), random::normal(&Key::new(1), [2], DType::F32).to_vec::<f32>());
}
