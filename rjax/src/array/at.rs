//! Updates of parts of an array. Arrays do not change; each update returns a new one, which compiled programs write in place
//! where nobody needs the old one.
//!
//! ```
//! use rjax::prelude::*;
//! let x = jnp::zeros([3], DType::F32);
//! let y = x.at(1).set(2.0).at(&jnp::array([0, 0])).add(1.0);
//! assert_eq!(y.to_vec::<f32>(), [2.0, 2.0, 0.0]);
//! ```

use rjax_ir::{Combiner, IndexMode, Scatter};

use super::index::{Addressing, collapsed, plan};
use super::promote::broadcast_shapes;
use super::{Array, IntoIndexer, Operand};
use crate::error::{check, fail_with};
use crate::{lax, numpy};

/// A part of an array: see [`Array::at`].
pub struct At<'a> {
    array: &'a Array,
    address: Addressing,
    mode: IndexMode,
}

impl Array {
    /// A part of the array, named as in [`Array::index`], to be replaced or combined with something: JAX's `x.at[index]`.
    /// Updates outside of the array are dropped.
    #[track_caller]
    pub fn at(&self, index: impl IntoIndexer) -> At<'_> {
        At { array: self, address: plan(self, index).addressing(&self.shape()), mode: IndexMode::FillOrDrop }
    }
}

macro_rules! updates {
    ($($name:ident $combiner:ident $doc:literal;)*) => {$(
        #[doc = $doc]
        #[track_caller]
        pub fn $name(self, values: impl Operand) -> Array {
            self.update(Combiner::$combiner, values.into_array())
        }
    )*};
}

impl At<'_> {
    /// Indices outside are moved to the nearest element instead of dropped.
    pub fn clip(mut self) -> Self {
        self.mode = IndexMode::Clip;
        self
    }

    /// The elements; outside of the array NaN, or the fill value of the dtype.
    #[track_caller]
    pub fn get(self) -> Array {
        self.array.gathered(&self.address, self.mode, None)
    }

    /// The elements; outside of the array `fill`.
    #[track_caller]
    pub fn get_or(self, fill: impl Operand) -> Array {
        let fill = fill.into_array().converted(self.array.dtype(), false);
        let fill = check(fill.host("get_or")).get(0);
        self.array.gathered(&self.address, self.mode, Some(fill))
    }

    updates! {
        set Replace "Replaces the elements. Where an index repeats, the last value stays.";
        add Add "Adds to the elements; repeated indices add up.";
        multiply Mul "Multiplies the elements; repeated indices multiply up.";
        min Min "The lesser of element and value.";
        max Max "The greater of element and value.";
    }

    /// Subtracts from the elements; repeated indices add up.
    #[track_caller]
    pub fn subtract(self, values: impl Operand) -> Array {
        self.update(Combiner::Add, -values.into_array())
    }

    /// Divides the elements.
    #[track_caller]
    pub fn divide(self, values: impl Operand) -> Array {
        let values = values.into_array();
        self.update(Combiner::Mul, numpy::reciprocal(values))
    }

    /// Raises the elements to a power.
    #[track_caller]
    pub fn power(self, exponent: impl Operand) -> Array {
        let exponent = exponent.into_array();
        self.apply(|x| numpy::power(x, &exponent))
    }

    /// Applies a function to the elements.
    #[track_caller]
    pub fn apply(self, f: impl FnOnce(&Array) -> Array) -> Array {
        let values = f(&self.array.gathered(&self.address, IndexMode::Clip, None));
        self.update(Combiner::Replace, values)
    }

    #[track_caller]
    fn update(self, combiner: Combiner, values: Array) -> Array {
        let At { array, address, mode } = self;
        let with_new = address.new_axes.iter().fold(address.shape.clone(), |s, &axis| s.with_axis(axis as usize, 1));
        let together = check(broadcast_shapes("at", &[values.shape(), with_new.clone()]));
        if together != with_new {
            fail_with(
                rjax_ir::ErrorKind::Shape,
                format!(
                    "at: values of type {} do not broadcast to the part of shape {with_new} of {}",
                    values.aval(),
                    array.aval()
                ),
            )
        }
        // As in JAX, the update takes the array's dtype.
        let updates = values.converted(array.dtype(), false).broadcasted(&with_new);
        let updates = lax::reshape(&updates, address.shape.clone());
        let parameters = Scatter {
            combiner,
            update_window_dims: address.offset_dims.clone(),
            inserted_window_dims: collapsed(&address),
            operand_batching_dims: vec![],
            scatter_indices_batching_dims: vec![],
            scatter_dims_to_operand_dims: address.index_map.clone(),
            mode,
            unique_indices: false,
            indices_are_sorted: false,
        };
        lax::scatter(array, &address.indices, &updates, parameters)
    }
}
