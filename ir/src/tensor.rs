//! Host values: what the interpreter computes with, constants of programs, and scalar literals.

use std::fmt;
use std::sync::Arc;

use half::{bf16, f16};

use crate::dtype::Special;
use crate::math::{Wide, decode, encode};
use crate::{Aval, DType, Narrow, Shape};

/// 64-bit complex number: two `f32`.
pub type Complex64 = num_complex::Complex<f32>;
/// 128-bit complex number: two `f64`.
pub type Complex128 = num_complex::Complex<f64>;

/// A Rust type that is the element type of some dtype.
pub trait Element: Copy + PartialEq + fmt::Debug + Default + Send + Sync + 'static {
    /// The dtype whose elements have this Rust type.
    const DTYPE: DType;
    /// Wraps a vector of elements.
    fn wrap(values: Vec<Self>) -> Data;
    /// The elements, if `data` holds this type.
    fn slice(data: &Data) -> Option<&[Self]>;
    /// The value as a complex double; exact for all but 64-bit integers beyond 2^53.
    fn to_c128(self) -> Complex128;
    /// The nearest value of this type: floats round to nearest even; integers truncate and saturate, NaN gives 0;
    /// `bool` is `!= 0`; real types drop the imaginary part.
    fn from_c128(value: Complex128) -> Self;
    /// The bits of the value, real part in the low word.
    fn to_bits(self) -> [u64; 2];
    /// The value with these bits.
    fn from_bits(bits: [u64; 2]) -> Self;
}

macro_rules! elements {
    ($($variant:ident $type:ty, $value:ident => $to:expr, $z:ident => $from:expr, $to_bits:expr, $bits:ident => $from_bits:expr;)*) => {
        /// The elements of a [`Tensor`], row-major.
        #[derive(Clone, Debug)]
        pub enum Data {
            $(#[doc = concat!("Elements of dtype `", stringify!($variant), "`.")] $variant(Vec<$type>),)*
        }

        impl Data {
            /// The number of elements.
            pub fn len(&self) -> usize {
                match self { $(Data::$variant(v) => v.len(),)* }
            }
            /// Whether there are no elements.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
            /// The element type; `u8` where a tensor stores narrow values.
            pub fn dtype(&self) -> DType {
                match self { $(Data::$variant(_) => DType::$variant,)* }
            }
        }

        $(impl Element for $type {
            const DTYPE: DType = DType::$variant;
            fn wrap(values: Vec<$type>) -> Data { Data::$variant(values) }
            fn slice(data: &Data) -> Option<&[$type]> {
                if let Data::$variant(v) = data { Some(v) } else { None }
            }
            fn to_c128(self) -> Complex128 { let $value = self; $to }
            fn from_c128($z: Complex128) -> $type { $from }
            fn to_bits(self) -> [u64; 2] { let $value = self; $to_bits }
            fn from_bits($bits: [u64; 2]) -> $type { $from_bits }
        })*

        /// Runs a generic expression with `$T` bound to the Rust element type of a dtype, `u8` for narrow ones:
        /// `with_element!(dtype, T => Tensor::from_vec(shape, Vec::<T>::new()))`.
        #[macro_export]
        macro_rules! with_element {
            ($dtype:expr, $T:ident => $body:expr) => {
                match $dtype {
                    $($crate::DType::$variant => { type $T = $crate::element_type!($variant); $body })*
                    $crate::DType::Narrow(_) => { type $T = u8; $body }
                }
            };
        }
    };
}

/// The Rust element type of a dtype variant; used by [`with_element!`](crate::with_element).
#[macro_export]
macro_rules! element_type {
    (Bool) => {
        bool
    };
    (I8) => {
        i8
    };
    (I16) => {
        i16
    };
    (I32) => {
        i32
    };
    (I64) => {
        i64
    };
    (U8) => {
        u8
    };
    (U16) => {
        u16
    };
    (U32) => {
        u32
    };
    (U64) => {
        u64
    };
    (F16) => {
        $crate::f16
    };
    (BF16) => {
        $crate::bf16
    };
    (F32) => {
        f32
    };
    (F64) => {
        f64
    };
    (C64) => {
        $crate::Complex64
    };
    (C128) => {
        $crate::Complex128
    };
}

elements! {
    Bool bool, x => Complex128::new(x as u8 as f64, 0.0), z => z.re != 0.0 || z.im != 0.0, [x as u64, 0], b => b[0] != 0;
    I8 i8, x => Complex128::new(x as f64, 0.0), z => z.re as i8, [x as u8 as u64, 0], b => b[0] as i8;
    I16 i16, x => Complex128::new(x as f64, 0.0), z => z.re as i16, [x as u16 as u64, 0], b => b[0] as i16;
    I32 i32, x => Complex128::new(x as f64, 0.0), z => z.re as i32, [x as u32 as u64, 0], b => b[0] as i32;
    I64 i64, x => Complex128::new(x as f64, 0.0), z => z.re as i64, [(x as u64), 0], b => b[0] as i64;
    U8 u8, x => Complex128::new(x as f64, 0.0), z => z.re as u8, [x as u64, 0], b => b[0] as u8;
    U16 u16, x => Complex128::new(x as f64, 0.0), z => z.re as u16, [x as u64, 0], b => b[0] as u16;
    U32 u32, x => Complex128::new(x as f64, 0.0), z => z.re as u32, [x as u64, 0], b => b[0] as u32;
    U64 u64, x => Complex128::new(x as f64, 0.0), z => z.re as u64, [x, 0], b => b[0];
    F16 f16, x => Complex128::new(x.to_f64(), 0.0), z => <f16 as crate::math::Float>::from_f64(z.re), [x.to_bits() as u64, 0], b => f16::from_bits(b[0] as u16);
    BF16 bf16, x => Complex128::new(x.to_f64(), 0.0), z => <bf16 as crate::math::Float>::from_f64(z.re), [x.to_bits() as u64, 0], b => bf16::from_bits(b[0] as u16);
    F32 f32, x => Complex128::new(x as f64, 0.0), z => z.re as f32, [x.to_bits() as u64, 0], b => f32::from_bits(b[0] as u32);
    F64 f64, x => Complex128::new(x, 0.0), z => z.re, [x.to_bits(), 0], b => f64::from_bits(b[0]);
    C64 Complex64, x => Complex128::new(x.re as f64, x.im as f64), z => Complex64::new(z.re as f32, z.im as f32), [x.re.to_bits() as u64, x.im.to_bits() as u64], b => Complex64::new(f32::from_bits(b[0] as u32), f32::from_bits(b[1] as u32));
    C128 Complex128, x => x, z => z, [x.re.to_bits(), x.im.to_bits()], b => Complex128::new(f64::from_bits(b[0]), f64::from_bits(b[1]));
}

/// An array on the host: a shape and its elements in row-major order. Cloning is cheap.
///
/// ```
/// use rjax_ir::{DType, Tensor};
/// let t = Tensor::from_vec([2, 2], vec![1.0f32, 2.0, 3.0, 4.0]);
/// assert_eq!(t.dtype(), DType::F32);
/// assert_eq!(t.to_vec::<f32>()[3], 4.0);
/// ```
#[derive(Clone, Debug)]
pub struct Tensor {
    shape: Shape,
    dtype: DType,
    data: Arc<Data>,
}

impl Tensor {
    /// A tensor from its elements. Panics unless there is one value for each element of the shape.
    pub fn from_vec<T: Element>(shape: impl Into<Shape>, values: Vec<T>) -> Tensor {
        Tensor::from_data(shape.into(), T::wrap(values))
    }

    /// A tensor from untyped data. Panics unless there is one value for each element of the shape.
    pub fn from_data(shape: Shape, data: Data) -> Tensor {
        assert_eq!(shape.size(), data.len(), "a tensor of shape {shape} needs {} values", shape.size());
        Tensor { shape, dtype: data.dtype(), data: Arc::new(data) }
    }

    /// A tensor of a dtype from what is stored for it: for narrow types the bytes, of which only the lower bits count.
    pub(crate) fn stored_as(self, dtype: DType) -> Tensor {
        if self.dtype == dtype {
            return self;
        }
        assert_eq!(self.data.dtype(), dtype.storage(), "the values of another type");
        Tensor { dtype, ..self }
    }

    /// A tensor from its elements in row-major order. Panics unless there is one of its dtype for each.
    pub fn from_scalars(aval: &Aval, values: &[Scalar]) -> Tensor {
        with_element!(aval.dtype, T => {
            let values: Vec<T> = values.iter().map(|value| value.get()).collect();
            Tensor::from_vec(aval.shape.clone(), values).stored_as(aval.dtype)
        })
    }

    /// A rank-0 tensor.
    pub fn scalar<T: Element>(value: T) -> Tensor {
        Tensor::from_vec([], vec![value])
    }

    /// A tensor with the same value everywhere.
    pub fn full(shape: impl Into<Shape>, value: Scalar) -> Tensor {
        let shape = shape.into();
        with_element!(value.dtype(), T => {
            let values = vec![value.get::<T>(); shape.size()];
            Tensor::from_vec(shape, values).stored_as(value.dtype())
        })
    }

    /// Zeros (`false` for `bool`).
    pub fn zeros(aval: &Aval) -> Tensor {
        Tensor::full(aval.shape.clone(), Scalar::zero(aval.dtype))
    }

    /// The dtype.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// The shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Dtype and shape.
    pub fn aval(&self) -> Aval {
        Aval { dtype: self.dtype(), shape: self.shape.clone() }
    }

    /// The elements; those of narrow types as `u8`.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The elements as a slice. Panics if the dtype is not stored as `T`.
    pub fn as_slice<T: Element>(&self) -> &[T] {
        T::slice(&self.data).unwrap_or_else(|| panic!("the tensor holds {}, not {}", self.dtype(), T::DTYPE))
    }

    /// The elements as a vector. Panics if the dtype is not stored as `T`.
    pub fn to_vec<T: Element>(&self) -> Vec<T> {
        self.as_slice::<T>().to_vec()
    }

    /// The element at a row-major position.
    pub fn get(&self, position: usize) -> Scalar {
        let bits = with_element!(self.dtype, T => Element::to_bits(self.as_slice::<T>()[position]));
        Scalar { dtype: self.dtype, bits }
    }

    /// A function of each element.
    pub(crate) fn map<S: Element, D: Element>(&self, f: impl Fn(S) -> D) -> Tensor {
        Tensor::from_vec(self.shape.clone(), self.as_slice::<S>().iter().map(|&x| f(x)).collect::<Vec<D>>())
    }

    /// A function of the elements of two tensors of one shape.
    pub(crate) fn zip<S: Element, D: Element>(&self, other: &Tensor, f: impl Fn(S, S) -> D) -> Tensor {
        let pairs = self.as_slice::<S>().iter().zip(other.as_slice::<S>());
        Tensor::from_vec(self.shape.clone(), pairs.map(|(&x, &y)| f(x, y)).collect::<Vec<D>>())
    }

    /// The same elements under another shape of the same size.
    pub fn reshape(&self, shape: impl Into<Shape>) -> Tensor {
        let shape = shape.into();
        assert_eq!(shape.size(), self.shape.size(), "reshape keeps the number of elements");
        Tensor { shape, dtype: self.dtype, data: self.data.clone() }
    }

    /// The elements as bytes in native byte order; `bool` is one byte, complex is real then imaginary.
    pub fn to_bytes(&self) -> Vec<u8> {
        match &*self.data {
            Data::Bool(v) => v.iter().map(|&b| b as u8).collect(),
            Data::I8(v) => bytemuck::cast_slice(v).to_vec(),
            Data::I16(v) => bytemuck::cast_slice(v).to_vec(),
            Data::I32(v) => bytemuck::cast_slice(v).to_vec(),
            Data::I64(v) => bytemuck::cast_slice(v).to_vec(),
            Data::U8(v) => v.clone(),
            Data::U16(v) => bytemuck::cast_slice(v).to_vec(),
            Data::U32(v) => bytemuck::cast_slice(v).to_vec(),
            Data::U64(v) => bytemuck::cast_slice(v).to_vec(),
            Data::F16(v) => bytemuck::cast_slice(v).to_vec(),
            Data::BF16(v) => bytemuck::cast_slice(v).to_vec(),
            Data::F32(v) => bytemuck::cast_slice(v).to_vec(),
            Data::F64(v) => bytemuck::cast_slice(v).to_vec(),
            Data::C64(v) => bytemuck::cast_slice(v).to_vec(),
            Data::C128(v) => bytemuck::cast_slice(v).to_vec(),
        }
    }

    /// A tensor from bytes as written by [`Tensor::to_bytes`]. Panics unless the length fits;
    /// any non-zero byte of a `bool` is true, and bits that a narrow type does not have are dropped.
    pub fn from_bytes(aval: &Aval, bytes: &[u8]) -> Tensor {
        assert_eq!(bytes.len(), aval.bytes(), "{aval} needs {} bytes", aval.bytes());
        let data = match aval.dtype {
            DType::Bool => Data::Bool(bytes.iter().map(|&b| b != 0).collect()),
            DType::I8 => Data::I8(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::I16 => Data::I16(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::I32 => Data::I32(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::I64 => Data::I64(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::U8 => Data::U8(bytes.to_vec()),
            DType::U16 => Data::U16(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::U32 => Data::U32(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::U64 => Data::U64(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::F16 => Data::F16(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::BF16 => Data::BF16(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::F32 => Data::F32(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::F64 => Data::F64(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::C64 => Data::C64(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::C128 => Data::C128(bytemuck::allocation::pod_collect_to_vec(bytes)),
            DType::Narrow(narrow) => Data::U8(bytes.iter().map(|byte| byte & narrow.mask()).collect()),
        };
        Tensor::from_data(aval.shape.clone(), data).stored_as(aval.dtype)
    }

    /// Whether dtype, shape and all bits agree (NaN equals the same NaN, 0.0 differs from -0.0).
    pub fn bits_equal(&self, other: &Tensor) -> bool {
        self.shape == other.shape && self.dtype() == other.dtype() && self.to_bytes() == other.to_bytes()
    }
}

/// One typed value, compared and hashed by its bits: a literal in a program.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Scalar {
    dtype: DType,
    bits: [u64; 2],
}

impl Scalar {
    /// A scalar of the Rust type's dtype.
    pub fn new<T: Element>(value: T) -> Scalar {
        Scalar { dtype: T::DTYPE, bits: value.to_bits() }
    }

    /// The nearest value of `dtype`: see [`Element::from_c128`].
    pub fn from_f64(dtype: DType, value: f64) -> Scalar {
        if let DType::Narrow(narrow) = dtype {
            return Scalar { dtype, bits: [encode(narrow, Wide::Float(value)) as u64, 0] };
        }
        with_element!(dtype, T => Scalar::new(T::from_c128(Complex128::new(value, 0.0))))
    }

    /// The value of `dtype` congruent to an integer (wrapping for integers, nearest for floats, `!= 0` for `bool`).
    pub fn from_i64(dtype: DType, value: i64) -> Scalar {
        if dtype.is_integer() {
            let mask = if dtype.bits() == 64 { u64::MAX } else { (1 << dtype.bits()) - 1 };
            Scalar { dtype, bits: [value as u64 & mask, 0] }
        } else {
            Scalar::from_f64(dtype, value as f64)
        }
    }

    /// Zero, or `false`.
    pub fn zero(dtype: DType) -> Scalar {
        Scalar { dtype, bits: [0, 0] }
    }

    /// One, or `true`.
    pub fn one(dtype: DType) -> Scalar {
        Scalar::from_i64(dtype, 1)
    }

    /// The smallest value: minus infinity or, where a float has none, its least number; the least integer; `false`.
    /// Panics for complex types.
    pub fn least(dtype: DType) -> Scalar {
        assert!(!dtype.is_complex(), "complex numbers have no least value");
        if dtype.is_signed_integer() {
            Scalar::from_i64(dtype, -1i64 << (dtype.bits() - 1))
        } else if dtype.is_float() {
            extreme_float(dtype, f64::NEG_INFINITY)
        } else {
            Scalar::zero(dtype)
        }
    }

    /// The greatest value: infinity or, where a float has none, its greatest number; the greatest integer; `true`.
    /// Panics for complex types.
    pub fn greatest(dtype: DType) -> Scalar {
        assert!(!dtype.is_complex(), "complex numbers have no greatest value");
        if dtype.is_signed_integer() {
            Scalar::from_i64(dtype, !(-1i64 << (dtype.bits() - 1)))
        } else if dtype.is_float() {
            extreme_float(dtype, f64::INFINITY)
        } else {
            Scalar::from_i64(dtype, -1)
        }
    }

    /// The dtype.
    pub fn dtype(self) -> DType {
        self.dtype
    }

    /// The bits: the value, or real and imaginary part.
    pub fn bits(self) -> [u64; 2] {
        self.bits
    }

    /// The value with these bits; bits beyond the dtype's width must be zero.
    pub fn from_bits(dtype: DType, bits: [u64; 2]) -> Scalar {
        Scalar { dtype, bits }
    }

    /// The value as a Rust type. Panics if the dtype is not stored as `T`.
    pub fn get<T: Element>(self) -> T {
        assert_eq!(self.dtype.storage(), T::DTYPE, "the scalar has another dtype");
        T::from_bits(self.bits)
    }

    /// The value as a complex double.
    pub fn to_c128(self) -> Complex128 {
        if let DType::Narrow(narrow) = self.dtype {
            return Complex128::new(decode(narrow, self.bits[0] as u8).to_f64(), 0.0);
        }
        with_element!(self.dtype, T => self.get::<T>().to_c128())
    }

    /// The real part as a double.
    pub fn to_f64(self) -> f64 {
        self.to_c128().re
    }

    /// The value as a rank-0 tensor.
    pub fn to_tensor(self) -> Tensor {
        Tensor::full([], self)
    }
}

/// An infinity, or the finite number next to where it would be.
fn extreme_float(dtype: DType, infinity: f64) -> Scalar {
    match dtype.narrow().and_then(Narrow::format) {
        Some(format) if format.special != Special::Ieee => {
            let least = if format.special == Special::Fnu { 0 } else { 0x80 | format.greatest() };
            let bits = if infinity < 0.0 { least } else { format.greatest() };
            Scalar { dtype, bits: [bits as u64, 0] }
        }
        Some(_) | None => Scalar::from_f64(dtype, infinity),
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let DType::Narrow(_) = self.dtype {
            return write!(f, "{:?}:{}", self.to_f64(), self.dtype);
        }
        with_element!(self.dtype, T => write!(f, "{:?}:{}", self.get::<T>(), self.dtype))
    }
}
