//! Scatters by name, and the shapes of windows.

use rjax_ir::{Combiner, Scatter};

use crate::Array;
use crate::error::fail_with;

macro_rules! scatters {
    ($($name:ident $combiner:ident $doc:literal;)*) => {$(
        #[doc = $doc]
        #[doc = ""]
        #[doc = "The combiner among the parameters is not looked at."]
        #[track_caller]
        pub fn $name(x: &Array, indices: &Array, updates: &Array, parameters: Scatter) -> Array {
            super::scatter(x, indices, updates, Scatter { combiner: Combiner::$combiner, ..parameters })
        }
    )*};
}

scatters! {
    scatter_add Add "x with updates added to windows at computed positions. JAX: `lax.scatter_add`.";
    scatter_mul Mul "x with windows at computed positions multiplied by updates. JAX: `lax.scatter_mul`.";
    scatter_min Min "x with windows at computed positions lowered to updates. JAX: `lax.scatter_min`.";
    scatter_max Max "x with windows at computed positions raised to updates. JAX: `lax.scatter_max`.";
}

/// x with updates subtracted from windows at computed positions. JAX: `lax.scatter_sub`.
#[track_caller]
pub fn scatter_sub(x: &Array, indices: &Array, updates: &Array, parameters: Scatter) -> Array {
    scatter_add(x, indices, &super::neg(updates), parameters)
}

/// The padding of windows of these extents and steps over axes of these sizes, by JAX's names for it: `SAME` or `VALID`. JAX:
/// `lax.padtype_to_pads`.
#[track_caller]
pub fn padtype_to_pads(sizes: &[usize], windows: &[usize], strides: &[usize], padding: &str) -> Vec<(i64, i64)> {
    if sizes.len() != windows.len() || sizes.len() != strides.len() {
        fail_with(
            rjax_ir::ErrorKind::Structure,
            format!(
                "padtype_to_pads: found {} sizes, {} windows and {} strides",
                sizes.len(),
                windows.len(),
                strides.len()
            ),
        )
    }
    match padding {
        "VALID" => vec![(0, 0); sizes.len()],
        "SAME" | "SAME_LOWER" => sizes
            .iter()
            .zip(windows.iter().zip(strides))
            .map(|(&size, (&window, &stride))| {
                let total = ((size.div_ceil(stride) * stride + window) as i64 - (stride + size) as i64).max(0);
                let less = total / 2;
                if padding == "SAME" { (less, total - less) } else { (total - less, less) }
            })
            .collect(),
        other => fail_with(
            rjax_ir::ErrorKind::Parameter,
            format!("padtype_to_pads: found {other:?}, expected \"SAME\", \"SAME_LOWER\" or \"VALID\""),
        ),
    }
}
