//! Element types.
//!
//! ```
//! use rjax_ir::DType;
//! assert_eq!(DType::BF16.name(), "bf16");
//! assert_eq!(DType::parse("c64"), Some(DType::C64));
//! assert_eq!(DType::C64.real(), DType::F32);
//! ```

use std::fmt;

pub use narrow::{Narrow, NarrowFormat, Special};

mod narrow;

/// The type of an array's elements. Names follow the jaxpr short forms.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DType {
    /// One byte, 0 or 1.
    Bool,
    /// Signed 8-bit integer, two's complement, wrapping.
    I8,
    /// Signed 16-bit integer.
    I16,
    /// Signed 32-bit integer.
    I32,
    /// Signed 64-bit integer.
    I64,
    /// Unsigned 8-bit integer.
    U8,
    /// Unsigned 16-bit integer.
    U16,
    /// Unsigned 32-bit integer.
    U32,
    /// Unsigned 64-bit integer.
    U64,
    /// IEEE 754 binary16.
    F16,
    /// bfloat16: the upper half of a binary32.
    BF16,
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64.
    F64,
    /// A pair of [`DType::F32`]: real part, then imaginary part.
    C64,
    /// A pair of [`DType::F64`].
    C128,
    /// A type of at most 8 bits that values are stored in and not computed in, one to a byte.
    Narrow(Narrow),
}

impl DType {
    /// All element types that ops compute in, in promotion order within each kind. [`Narrow::ALL`] has the others.
    pub const ALL: [DType; 15] = [
        DType::Bool,
        DType::I8,
        DType::I16,
        DType::I32,
        DType::I64,
        DType::U8,
        DType::U16,
        DType::U32,
        DType::U64,
        DType::F16,
        DType::BF16,
        DType::F32,
        DType::F64,
        DType::C64,
        DType::C128,
    ];

    /// [`Narrow::I2`].
    pub const I2: DType = DType::Narrow(Narrow::I2);
    /// [`Narrow::I4`].
    pub const I4: DType = DType::Narrow(Narrow::I4);
    /// [`Narrow::U2`].
    pub const U2: DType = DType::Narrow(Narrow::U2);
    /// [`Narrow::U4`].
    pub const U4: DType = DType::Narrow(Narrow::U4);
    /// [`Narrow::F8E3M4`].
    pub const F8E3M4: DType = DType::Narrow(Narrow::F8E3M4);
    /// [`Narrow::F8E4M3`].
    pub const F8E4M3: DType = DType::Narrow(Narrow::F8E4M3);
    /// [`Narrow::F8E4M3B11FNUZ`].
    pub const F8E4M3B11FNUZ: DType = DType::Narrow(Narrow::F8E4M3B11FNUZ);
    /// [`Narrow::F8E4M3FN`].
    pub const F8E4M3FN: DType = DType::Narrow(Narrow::F8E4M3FN);
    /// [`Narrow::F8E4M3FNUZ`].
    pub const F8E4M3FNUZ: DType = DType::Narrow(Narrow::F8E4M3FNUZ);
    /// [`Narrow::F8E5M2`].
    pub const F8E5M2: DType = DType::Narrow(Narrow::F8E5M2);
    /// [`Narrow::F8E5M2FNUZ`].
    pub const F8E5M2FNUZ: DType = DType::Narrow(Narrow::F8E5M2FNUZ);
    /// [`Narrow::F8E8M0FNU`].
    pub const F8E8M0FNU: DType = DType::Narrow(Narrow::F8E8M0FNU);

    /// All element types, those that values are only stored in last.
    pub fn all() -> impl Iterator<Item = DType> {
        DType::ALL.into_iter().chain(Narrow::ALL.into_iter().map(DType::Narrow))
    }

    /// A number for the dtype, below 32.
    pub const fn code(self) -> u32 {
        match self {
            DType::Bool => 0,
            DType::I8 => 1,
            DType::I16 => 2,
            DType::I32 => 3,
            DType::I64 => 4,
            DType::U8 => 5,
            DType::U16 => 6,
            DType::U32 => 7,
            DType::U64 => 8,
            DType::F16 => 9,
            DType::BF16 => 10,
            DType::F32 => 11,
            DType::F64 => 12,
            DType::C64 => 13,
            DType::C128 => 14,
            DType::Narrow(narrow) => 15 + narrow as u32,
        }
    }

    /// The short name used in the text form: `f32`, `bf16`, `i8`, `bool`, `c64`.
    pub const fn name(self) -> &'static str {
        match self {
            DType::Bool => "bool",
            DType::I8 => "i8",
            DType::I16 => "i16",
            DType::I32 => "i32",
            DType::I64 => "i64",
            DType::U8 => "u8",
            DType::U16 => "u16",
            DType::U32 => "u32",
            DType::U64 => "u64",
            DType::F16 => "f16",
            DType::BF16 => "bf16",
            DType::F32 => "f32",
            DType::F64 => "f64",
            DType::C64 => "c64",
            DType::C128 => "c128",
            DType::Narrow(narrow) => narrow.name(),
        }
    }

    /// The dtype with this short name.
    pub fn parse(name: &str) -> Option<DType> {
        DType::all().find(|d| d.name() == name)
    }

    /// Bytes per element.
    pub const fn size(self) -> usize {
        match self {
            DType::Bool | DType::I8 | DType::U8 | DType::Narrow(_) => 1,
            DType::I16 | DType::U16 | DType::F16 | DType::BF16 => 2,
            DType::I32 | DType::U32 | DType::F32 => 4,
            DType::I64 | DType::U64 | DType::F64 | DType::C64 => 8,
            DType::C128 => 16,
        }
    }

    /// Bits that the value takes; those of a byte beyond them are zero.
    pub const fn bits(self) -> usize {
        match self {
            DType::Narrow(narrow) => narrow.bits(),
            DType::Bool
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64
            | DType::F16
            | DType::BF16
            | DType::F32
            | DType::F64
            | DType::C64
            | DType::C128 => self.size() * 8,
        }
    }

    /// The type of a narrow type, if this is one.
    pub const fn narrow(self) -> Option<Narrow> {
        if let DType::Narrow(narrow) = self { Some(narrow) } else { None }
    }

    /// The type whose elements lie in memory: `u8` for narrow types, otherwise the type itself.
    pub const fn storage(self) -> DType {
        if let DType::Narrow(_) = self { DType::U8 } else { self }
    }

    /// The type in which values of this type are computed with: `f32` for 8-bit floats, `i32` for integers of fewer than
    /// 8 bits, otherwise the type itself.
    pub const fn wide(self) -> DType {
        match self.narrow() {
            Some(narrow) if narrow.is_float() => DType::F32,
            Some(_) => DType::I32,
            None => self,
        }
    }

    /// Whether this is a real floating-point type.
    pub const fn is_float(self) -> bool {
        if let DType::Narrow(narrow) = self {
            return narrow.is_float();
        }
        matches!(self, DType::F16 | DType::BF16 | DType::F32 | DType::F64)
    }

    /// Whether this is a complex type.
    pub const fn is_complex(self) -> bool {
        matches!(self, DType::C64 | DType::C128)
    }

    /// Floating-point or complex: the types that have tangents.
    pub const fn is_inexact(self) -> bool {
        self.is_float() || self.is_complex()
    }

    /// Whether this is a signed integer type.
    pub const fn is_signed_integer(self) -> bool {
        if let DType::Narrow(narrow) = self {
            return narrow.is_signed_integer();
        }
        matches!(self, DType::I8 | DType::I16 | DType::I32 | DType::I64)
    }

    /// Whether this is an unsigned integer type.
    pub const fn is_unsigned_integer(self) -> bool {
        if let DType::Narrow(narrow) = self {
            return narrow.is_unsigned_integer();
        }
        matches!(self, DType::U8 | DType::U16 | DType::U32 | DType::U64)
    }

    /// Whether this is an integer type; `bool` is not one.
    pub const fn is_integer(self) -> bool {
        self.is_signed_integer() || self.is_unsigned_integer()
    }

    /// The type of the real part: `f32` for `c64`, `f64` for `c128`, otherwise the type itself.
    pub const fn real(self) -> DType {
        match self {
            DType::C64 => DType::F32,
            DType::C128 => DType::F64,
            DType::Bool
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64
            | DType::F16
            | DType::BF16
            | DType::F32
            | DType::F64
            | DType::Narrow(_) => self,
        }
    }

    /// The complex type whose parts have this type, for `f32` and `f64`.
    pub const fn complex(self) -> Option<DType> {
        match self {
            DType::F32 => Some(DType::C64),
            DType::F64 => Some(DType::C128),
            DType::C64 | DType::C128 => Some(self),
            DType::Bool
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64
            | DType::F16
            | DType::BF16
            | DType::Narrow(_) => None,
        }
    }

    /// The type in which sums of this type are accumulated: `f32` for narrower floats.
    pub const fn accumulator(self) -> DType {
        match self {
            DType::F16 | DType::BF16 => DType::F32,
            DType::Narrow(_) => self.wide(),
            DType::Bool
            | DType::I8
            | DType::I16
            | DType::I32
            | DType::I64
            | DType::U8
            | DType::U16
            | DType::U32
            | DType::U64
            | DType::F32
            | DType::F64
            | DType::C64
            | DType::C128 => self,
        }
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Debug for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of dtypes that an op accepts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DTypeSet(u32);

impl DTypeSet {
    /// `bool` alone.
    pub const BOOL: DTypeSet = DTypeSet(1 << DType::Bool.code());
    /// Signed integers.
    pub const SIGNED: DTypeSet = DTypeSet::of(&[DType::I8, DType::I16, DType::I32, DType::I64]);
    /// Unsigned integers.
    pub const UNSIGNED: DTypeSet = DTypeSet::of(&[DType::U8, DType::U16, DType::U32, DType::U64]);
    /// All integers.
    pub const INTEGER: DTypeSet = DTypeSet::SIGNED.or(DTypeSet::UNSIGNED);
    /// Real floating point.
    pub const FLOAT: DTypeSet = DTypeSet::of(&[DType::F16, DType::BF16, DType::F32, DType::F64]);
    /// Real floating point that has a complex type: `f32` and `f64`.
    pub const COMPLEX_PART: DTypeSet = DTypeSet::of(&[DType::F32, DType::F64]);
    /// Complex.
    pub const COMPLEX: DTypeSet = DTypeSet::of(&[DType::C64, DType::C128]);
    /// Floating point and complex.
    pub const INEXACT: DTypeSet = DTypeSet::FLOAT.or(DTypeSet::COMPLEX);
    /// What linear algebra works on: `f32`, `f64` and their complex types.
    pub const LINALG: DTypeSet = DTypeSet::COMPLEX_PART.or(DTypeSet::COMPLEX);
    /// Integers and floating point.
    pub const REAL: DTypeSet = DTypeSet::INTEGER.or(DTypeSet::FLOAT);
    /// Everything but `bool`.
    pub const NUMBER: DTypeSet = DTypeSet::REAL.or(DTypeSet::COMPLEX);
    /// `bool` and integers.
    pub const BITS: DTypeSet = DTypeSet::BOOL.or(DTypeSet::INTEGER);
    /// Everything that has a total order: `bool`, integers, floating point.
    pub const ORDERED: DTypeSet = DTypeSet::BOOL.or(DTypeSet::REAL);
    /// Everything that is computed with.
    pub const ANY: DTypeSet = DTypeSet::BOOL.or(DTypeSet::NUMBER);

    const fn of(dtypes: &[DType]) -> DTypeSet {
        let (mut bits, mut i) = (0, 0);
        while i < dtypes.len() {
            bits |= 1 << dtypes[i].code();
            i += 1;
        }
        DTypeSet(bits)
    }

    /// The union of two sets.
    pub const fn or(self, other: DTypeSet) -> DTypeSet {
        DTypeSet(self.0 | other.0)
    }

    /// Whether the set holds this dtype.
    pub const fn contains(self, dtype: DType) -> bool {
        self.0 & (1 << dtype.code()) != 0
    }

    /// The members, in the order of [`DType::all`].
    pub fn iter(self) -> impl Iterator<Item = DType> {
        DType::all().filter(move |&d| self.contains(d))
    }
}

impl fmt::Display for DTypeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.iter().map(DType::name).collect();
        f.write_str(&names.join(", "))
    }
}

impl fmt::Debug for DTypeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{self}}}")
    }
}
