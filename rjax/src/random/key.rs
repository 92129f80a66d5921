//! Keys, and the bits that they stand for.

use rjax_ir::{DType, ErrorKind, Op, Scalar, Shape, Tensor};

use crate::array::Operand;
use crate::error::fail_with;
use crate::trace::emit;
use crate::tree::{Label, Visitor};
use crate::{Array, Tree, lax, numpy};

/// A key of the random number generator, or an array of keys. Not `Copy`, so that drawing twice from one key stands out.
#[derive(Clone, Debug)]
pub struct Key {
    /// `u32` with a last axis of extent 2.
    data: Array,
}

impl Tree for Key {
    type Jacobian<T: Tree> = crate::tree::Blocks<T>;

    fn visit<'a>(&'a self, visitor: &mut dyn Visitor<'a>) {
        visitor.open("Key", 1);
        visitor.child(Label::Field("data"));
        visitor.leaf(&self.data);
        visitor.close();
    }

    fn rebuild(&self, leaves: &mut dyn Iterator<Item = Array>) -> Self {
        Key { data: leaves.next().expect("one leaf for each key") }
    }

    fn jacobian<T: Tree>(&self, blocks: &mut dyn Iterator<Item = T>) -> crate::tree::Blocks<T> {
        crate::tree::Blocks(blocks.take(1).collect())
    }
}

impl Key {
    /// The key of a seed.
    pub fn new(seed: u64) -> Key {
        Key { data: Array::from_tensor(Tensor::from_vec([2], vec![(seed >> 32) as u32, seed as u32])) }
    }

    /// A key, or an array of keys, from its data: `u32` with a last axis of extent 2.
    #[track_caller]
    pub fn from_data(data: Array) -> Key {
        if data.dtype() != DType::U32 || data.shape().last() != Some(&2) {
            fail_with(
                ErrorKind::DType,
                format!("Key::from_data: found {}, expected u32 with a last axis of size 2", data.aval()),
            )
        }
        Key { data }
    }

    /// The key's data.
    pub fn data(&self) -> &Array {
        &self.data
    }

    /// New keys, as many as the pattern asks for: `let [a, b] = key.split();`.
    #[track_caller]
    pub fn split<const N: usize>(&self) -> [Key; N] {
        let keys = split(self, N);
        std::array::from_fn(|i| Key { data: lax::index_in_dim(&keys.data, i, 0) })
    }

    /// A new key for a number, such as the count of a step.
    #[track_caller]
    pub fn fold_in(&self, data: impl Operand) -> Key {
        fold_in(self, data)
    }

    /// One key of an array of keys.
    #[track_caller]
    pub fn at(&self, index: usize) -> Key {
        Key { data: lax::index_in_dim(&self.data, index, 0) }
    }

    /// The two words of a single key.
    #[track_caller]
    fn words(&self) -> (Array, Array) {
        if self.data.ndim() != 1 {
            fail_with(
                ErrorKind::Shape,
                format!(
                    "a random function needs one key and found an array of keys of shape {}; use vmap",
                    self.data.shape()
                ),
            )
        }
        (lax::index_in_dim(&self.data, 0, 0), lax::index_in_dim(&self.data, 1, 0))
    }
}

/// The generator's block for each counter.
#[track_caller]
fn block(key: &Key, high: &Array, low: &Array) -> (Array, Array) {
    let (k0, k1) = key.words();
    let shape = low.shape();
    let operands = [k0.broadcasted(&shape), k1.broadcasted(&shape), high.broadcasted(&shape), low.clone()];
    let mut words = emit(Op::Threefry2x32, &operands.iter().collect::<Vec<_>>()).into_iter();
    (words.next().expect("two words"), words.next().expect("two words"))
}

/// The generator's block for each position of an array of some shape.
#[track_caller]
fn blocks(key: &Key, shape: &Shape) -> (Array, Array) {
    if shape.size() as u64 > u64::from(u32::MAX) {
        fail_with(ErrorKind::Shape, format!("random: shape {shape} has more than 2^32 elements"))
    }
    let zero = Array::constant(Scalar::zero(DType::U32), false);
    let (high, low) = block(key, &zero, &lax::iota(DType::U32, shape.size()));
    (lax::reshape(&high, shape.clone()), lax::reshape(&low, shape.clone()))
}

/// An array of `count` new keys, for `vmap` and `scan`.
#[track_caller]
pub fn split(key: &Key, count: usize) -> Key {
    let (high, low) = blocks(key, &[count].into());
    Key { data: numpy::stack(&[high, low], 1) }
}

/// A new key for a number, such as the count of a step.
#[track_caller]
pub fn fold_in(key: &Key, data: impl Operand) -> Key {
    let zero = Array::constant(Scalar::zero(DType::U32), false);
    let (high, low) = block(key, &zero, &data.into_array().converted(DType::U32, false));
    Key { data: numpy::stack(&[high, low], 0) }
}

/// Random bits, as an unsigned dtype.
#[track_caller]
pub fn bits(key: &Key, shape: impl Into<Shape>, dtype: DType) -> Array {
    if !dtype.is_unsigned_integer() {
        fail_with(ErrorKind::DType, format!("bits: found {dtype}, expected an unsigned dtype"))
    }
    let (high, low) = blocks(key, &shape.into());
    if dtype == DType::U64 {
        let wide = |x: &Array| x.converted(DType::U64, false);
        return lax::bitwise_or(lax::shift_left(wide(&high), 32), wide(&low));
    }
    lax::bitwise_xor(&high, &low).converted(dtype, false)
}

/// The key of a seed, as [`Key::new`].
pub fn key(seed: u64) -> Key {
    Key::new(seed)
}

/// A key's data: `u32` with a last axis of extent 2.
pub fn key_data(key: &Key) -> Array {
    key.data.clone()
}

/// A key, or an array of keys, from its data, as [`Key::from_data`].
#[track_caller]
pub fn wrap_key_data(data: &Array) -> Key {
    Key::from_data(data.clone())
}

/// The same key again, to say that drawing twice from it is meant.
pub fn clone(key: &Key) -> Key {
    key.clone()
}
