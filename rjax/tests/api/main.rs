//! The user's door, end to end: promises, error messages, promotion, random numbers, native control flow, trees.

mod collectives;
mod control_flow;
mod errors;
mod golden;
mod implicit;
mod indexing;
mod jit;
mod names;
mod narrow;
mod numpy;
mod plugged;
mod promises;
mod promotion;
mod random;
mod trees;

use rjax::prelude::*;

/// Elements as doubles, whatever the dtype.
fn values(x: &Array) -> Vec<f64> {
    if x.dtype().is_float() {
        x.astype(DType::F64).to_vec()
    } else {
        x.astype(DType::I64).to_vec::<i64>().into_iter().map(|v| v as f64).collect()
    }
}

/// Asserts that all elements agree within a tolerance relative to their size, or absolute where that is below 1.
#[track_caller]
fn assert_close(found: &Array, expected: &Array, tolerance: f64) {
    assert_eq!(found.shape(), expected.shape(), "shapes");
    for (i, (a, b)) in values(found).into_iter().zip(values(expected)).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0) || a == b, "element {i}: {a} and {b}");
    }
}

#[track_caller]
fn assert_values(found: &Array, expected: &[f64], tolerance: f64) {
    let found = values(found);
    assert_eq!(found.len(), expected.len(), "number of elements");
    for (i, (a, b)) in found.iter().zip(expected).enumerate() {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0) || a == b, "element {i}: {a} and {b}");
    }
}

fn scalar(x: f32) -> Array {
    Array::scalar(x)
}
