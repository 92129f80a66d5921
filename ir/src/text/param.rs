//! The values that static parameters of ops take in text, and how Rust types become them and come back.

use std::sync::Arc;

use crate::{Aval, DType, FftKind, IndexMode, PadDim, Precision, Program, RematPolicy, Scalar, Shape};

/// A parameter's value in text.
#[derive(Clone, PartialEq, Debug)]
pub enum Param {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// `3`.
    Int(i128),
    /// A word, or text in double quotes where it is not a word.
    Name(Arc<str>),
    /// `1.0:f32`.
    Scalar(Scalar),
    /// `f32[2,3]`.
    Aval(Aval),
    /// `(0, 1)`; `(0,)` for one item.
    Tuple(Vec<Param>),
    /// `[0, 1]`.
    List(Vec<Param>),
    /// `GatherDimensionNumbers(offset_dims=(0,), …)`.
    Record(Arc<str>, Vec<(Arc<str>, Param)>),
    /// `{ lambda … }`.
    Program(Arc<Program>),
}

/// Named parameters in the order in which they print.
pub(super) type Params = Vec<(&'static str, Param)>;

/// A Rust type that parameters have.
pub(super) trait Field: Sized {
    /// What the text must be, for error messages.
    fn expected() -> String;
    /// The value as text shows it.
    fn to_param(&self) -> Param;
    /// The value, if the text shows one of this type.
    fn from_param(param: &Param) -> Option<Self>;
}

macro_rules! integer_fields {
    ($($type:ty: $expected:literal,)*) => {
        $(impl Field for $type {
            fn expected() -> String {
                $expected.to_string()
            }
            fn to_param(&self) -> Param {
                Param::Int(*self as i128)
            }
            fn from_param(param: &Param) -> Option<$type> {
                if let Param::Int(value) = param { <$type>::try_from(*value).ok() } else { None }
            }
        })*
    };
}

integer_fields! {
    usize: "an integer that is not negative",
    u32: "an integer from 0 to 4294967295",
    i32: "a 32-bit integer",
    i64: "an integer",
}

impl Field for bool {
    fn expected() -> String {
        "True or False".to_string()
    }
    fn to_param(&self) -> Param {
        Param::Bool(*self)
    }
    fn from_param(param: &Param) -> Option<bool> {
        if let Param::Bool(value) = param { Some(*value) } else { None }
    }
}

impl Field for Arc<str> {
    fn expected() -> String {
        "a name".to_string()
    }
    fn to_param(&self) -> Param {
        Param::Name(self.clone())
    }
    fn from_param(param: &Param) -> Option<Arc<str>> {
        if let Param::Name(name) = param { Some(name.clone()) } else { None }
    }
}

impl Field for DType {
    fn expected() -> String {
        let names: Vec<&str> = DType::all().map(DType::name).collect();
        format!("a dtype: {}", names.join(", "))
    }
    fn to_param(&self) -> Param {
        Param::Name(self.name().into())
    }
    fn from_param(param: &Param) -> Option<DType> {
        if let Param::Name(name) = param { DType::parse(name) } else { None }
    }
}

impl Field for Arc<Program> {
    fn expected() -> String {
        "a program { lambda … }".to_string()
    }
    fn to_param(&self) -> Param {
        Param::Program(self.clone())
    }
    fn from_param(param: &Param) -> Option<Arc<Program>> {
        if let Param::Program(program) = param { Some(program.clone()) } else { None }
    }
}

impl Field for Aval {
    fn expected() -> String {
        "a type, as f32[2,3]".to_string()
    }
    fn to_param(&self) -> Param {
        Param::Aval(self.clone())
    }
    fn from_param(param: &Param) -> Option<Aval> {
        if let Param::Aval(aval) = param { Some(aval.clone()) } else { None }
    }
}

impl<T: Field> Field for Vec<T> {
    fn expected() -> String {
        format!("a tuple, each item {}", T::expected())
    }
    fn to_param(&self) -> Param {
        Param::Tuple(self.iter().map(Field::to_param).collect())
    }
    fn from_param(param: &Param) -> Option<Vec<T>> {
        items(param)?.iter().map(T::from_param).collect()
    }
}

impl<T: Field> Field for (T, T) {
    fn expected() -> String {
        format!("a pair, each item {}", T::expected())
    }
    fn to_param(&self) -> Param {
        Param::Tuple(vec![self.0.to_param(), self.1.to_param()])
    }
    fn from_param(param: &Param) -> Option<(T, T)> {
        let [first, second] = items(param)? else { return None };
        Some((T::from_param(first)?, T::from_param(second)?))
    }
}

impl Field for Shape {
    fn expected() -> String {
        "a shape that fits in memory, as (2, 3)".to_string()
    }
    fn to_param(&self) -> Param {
        self.to_vec().to_param()
    }
    fn from_param(param: &Param) -> Option<Shape> {
        // Extents whose product overflows cannot belong to an array; the largest element has 16 bytes.
        let extents: Vec<usize> = Vec::from_param(param)?;
        let bytes = extents.iter().try_fold(16usize, |bytes, &extent| bytes.checked_mul(extent))?;
        (bytes <= isize::MAX as usize).then(|| Shape::from(extents))
    }
}

impl Field for PadDim {
    fn expected() -> String {
        "(low, high, interior)".to_string()
    }
    fn to_param(&self) -> Param {
        Param::Tuple(vec![self.low.to_param(), self.high.to_param(), self.interior.to_param()])
    }
    fn from_param(param: &Param) -> Option<PadDim> {
        let [low, high, interior] = items(param)? else { return None };
        Some(PadDim {
            low: Field::from_param(low)?,
            high: Field::from_param(high)?,
            interior: Field::from_param(interior)?,
        })
    }
}

impl Field for Option<Scalar> {
    fn expected() -> String {
        "None or a literal, as 1.0:f32".to_string()
    }
    fn to_param(&self) -> Param {
        self.map_or(Param::None, Param::Scalar)
    }
    fn from_param(param: &Param) -> Option<Option<Scalar>> {
        match param {
            Param::None => Some(None),
            Param::Scalar(value) => Some(Some(*value)),
            Param::Bool(value) => Some(Some(Scalar::new(*value))),
            Param::Int(_)
            | Param::Name(_)
            | Param::Aval(_)
            | Param::Tuple(_)
            | Param::List(_)
            | Param::Record(..)
            | Param::Program(_) => None,
        }
    }
}

impl Field for IndexMode {
    fn expected() -> String {
        "clip, fill_or_drop or promise_in_bounds".to_string()
    }
    fn to_param(&self) -> Param {
        let name = match self {
            IndexMode::Clip => "clip",
            IndexMode::FillOrDrop => "fill_or_drop",
            IndexMode::PromiseInBounds => "promise_in_bounds",
        };
        Param::Name(name.into())
    }
    fn from_param(param: &Param) -> Option<IndexMode> {
        [IndexMode::Clip, IndexMode::FillOrDrop, IndexMode::PromiseInBounds]
            .into_iter()
            .find(|mode| mode.to_param() == *param)
    }
}

impl Field for Precision {
    fn expected() -> String {
        "None, HIGH or HIGHEST".to_string()
    }
    fn to_param(&self) -> Param {
        match self {
            Precision::Default => Param::None,
            Precision::High => Param::Name("HIGH".into()),
            Precision::Highest => Param::Name("HIGHEST".into()),
        }
    }
    fn from_param(param: &Param) -> Option<Precision> {
        [Precision::Default, Precision::High, Precision::Highest].into_iter().find(|p| p.to_param() == *param)
    }
}

impl Field for FftKind {
    fn expected() -> String {
        "FFT, IFFT, RFFT or IRFFT".to_string()
    }
    fn to_param(&self) -> Param {
        Param::Name(self.name().into())
    }
    fn from_param(param: &Param) -> Option<FftKind> {
        FftKind::ALL.into_iter().find(|kind| kind.to_param() == *param)
    }
}

impl Field for RematPolicy {
    fn expected() -> String {
        "nothing_saveable, everything_saveable, dots_saveable, dots_with_no_batch_dims_saveable or \
         save_only_these_names(names=(…))"
            .to_string()
    }
    fn to_param(&self) -> Param {
        let name = match self {
            RematPolicy::NothingSaveable => "nothing_saveable",
            RematPolicy::EverythingSaveable => "everything_saveable",
            RematPolicy::DotsSaveable => "dots_saveable",
            RematPolicy::DotsWithNoBatchDimsSaveable => "dots_with_no_batch_dims_saveable",
            RematPolicy::SaveOnlyTheseNames(names) => {
                return Param::Record("save_only_these_names".into(), vec![("names".into(), names.to_param())]);
            }
        };
        Param::Name(name.into())
    }
    fn from_param(param: &Param) -> Option<RematPolicy> {
        if let Param::Record(name, fields) = param {
            let [(field, names)] = &fields[..] else { return None };
            return (&**name == "save_only_these_names" && &**field == "names")
                .then(|| Vec::from_param(names).map(RematPolicy::SaveOnlyTheseNames))
                .flatten();
        }
        [
            RematPolicy::NothingSaveable,
            RematPolicy::EverythingSaveable,
            RematPolicy::DotsSaveable,
            RematPolicy::DotsWithNoBatchDimsSaveable,
        ]
        .into_iter()
        .find(|policy| policy.to_param() == *param)
    }
}

/// The items of a tuple or list.
fn items(param: &Param) -> Option<&[Param]> {
    if let Param::Tuple(items) | Param::List(items) = param { Some(items) } else { None }
}
