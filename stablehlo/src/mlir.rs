//! Generic MLIR modules: what the readers produce and the importer consumes.
//!
//! Names are normalised: `vhlo.add_v1` and `stablehlo.add` both read as `stablehlo.add`; attributes keep VHLO's flattened names
//! (`lhs_contracting_dimensions`, `offset_dims`, …).

use std::collections::BTreeMap;
use std::fmt;

use rjax_ir::{Aval, DType, Error, ErrorKind, Location, Result, Tensor};

/// A value: an index into [`Module::value_types`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Value(pub u32);

/// A type.
#[derive(Clone, PartialEq, Debug)]
pub enum Type {
    /// A ranked tensor; a dynamic extent is `None`.
    Tensor {
        /// Extents.
        shape: Vec<Option<usize>>,
        /// Element type.
        element: ElementType,
    },
    /// A token, which orders effects.
    Token,
    /// A tuple.
    Tuple(Vec<Type>),
    /// A function.
    Function(Vec<Type>, Vec<Type>),
    /// A type that rjax has no use for, by name.
    Other(String),
}

/// The element type of a tensor.
#[derive(Clone, PartialEq, Debug)]
pub enum ElementType {
    /// One of rjax's dtypes.
    DType(DType),
    /// `index`, which is stored as 64-bit integer.
    Index,
    /// A type that rjax does not have, by name, such as quantized ones.
    Other(String),
}

impl Type {
    /// The abstract value of a static tensor, or an error that says why there is none.
    pub fn aval(&self) -> Result<Aval> {
        match self {
            Type::Tensor { shape, element: ElementType::DType(dtype) } => {
                let shape: Option<Vec<usize>> = shape.iter().copied().collect();
                match shape {
                    Some(shape) => Ok(Aval::new(*dtype, shape)),
                    None => Err(unsupported(format!("tensors of dynamic shape are not supported, found {self}"))),
                }
            }
            Type::Tensor { .. } => Err(unsupported(format!("the element type of {self} is not supported"))),
            Type::Token | Type::Tuple(_) | Type::Function(..) | Type::Other(_) => {
                Err(unsupported(format!("expected a tensor, found {self}")))
            }
        }
    }
}

fn unsupported(message: String) -> Error {
    Error::new(ErrorKind::Unsupported, format!("stablehlo: {message}"))
}

impl fmt::Display for ElementType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ElementType::DType(dtype) => f.write_str(&element_name(*dtype)),
            ElementType::Index => f.write_str("index"),
            ElementType::Other(name) => f.write_str(name),
        }
    }
}

/// MLIR's spelling of a dtype: `i1` for `bool`, `ui8` for `u8`, `complex<f32>` for `c64`.
pub fn element_name(dtype: DType) -> String {
    match dtype {
        DType::Bool => "i1".into(),
        DType::U8 | DType::U16 | DType::U32 | DType::U64 => format!("ui{}", dtype.bits()),
        DType::C64 => "complex<f32>".into(),
        DType::C128 => "complex<f64>".into(),
        DType::I8 | DType::I16 | DType::I32 | DType::I64 | DType::F16 | DType::BF16 | DType::F32 | DType::F64 => {
            dtype.name().into()
        }
        DType::Narrow(narrow) if narrow.is_unsigned_integer() => format!("ui{}", narrow.bits()),
        DType::Narrow(narrow) if narrow.is_signed_integer() => narrow.name().into(),
        DType::Narrow(narrow) => format!("f{}", narrow.name()[1..].to_uppercase()),
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |types: &[Type]| types.iter().map(|t| t.to_string()).collect::<Vec<_>>().join(", ");
        match self {
            Type::Tensor { shape, element } => {
                f.write_str("tensor<")?;
                for extent in shape {
                    match extent {
                        Some(extent) => write!(f, "{extent}x")?,
                        None => f.write_str("?x")?,
                    }
                }
                write!(f, "{element}>")
            }
            Type::Token => f.write_str("!stablehlo.token"),
            Type::Tuple(types) => write!(f, "tuple<{}>", list(types)),
            Type::Function(inputs, outputs) => write!(f, "({}) -> ({})", list(inputs), list(outputs)),
            Type::Other(name) => f.write_str(name),
        }
    }
}

/// A compile-time parameter of an operation.
#[derive(Clone, Debug)]
pub enum Attribute {
    /// Present without a value.
    Unit,
    /// True or false.
    Bool(bool),
    /// An integer of any width.
    Int(i64),
    /// A float of any width.
    Float(f64),
    /// A string, symbol name or enumerant (`"EQ"`, `"THREE_FRY"`).
    String(String),
    /// A list.
    Array(Vec<Attribute>),
    /// Named attributes.
    Dict(Attributes),
    /// A constant tensor.
    Dense(Tensor),
    /// A constant of an element type that rjax does not have.
    DenseOther(Type),
    /// A type.
    Type(Type),
    /// An attribute of a dialect or kind that nothing here needs.
    Opaque,
}

/// Named attributes.
pub type Attributes = BTreeMap<String, Attribute>;

/// An operation with its operands, results and regions.
#[derive(Clone, Debug)]
pub struct Operation {
    /// Dialect and name without version: `stablehlo.add`, `chlo.erf`, `func.call`.
    pub name: String,
    /// Inherent and discardable attributes.
    pub attributes: Attributes,
    /// Operands.
    pub operands: Vec<Value>,
    /// Results.
    pub results: Vec<Value>,
    /// Regions.
    pub regions: Vec<Region>,
    /// Where it was read.
    pub location: Location,
}

/// A region of one block.
#[derive(Clone, Debug, Default)]
pub struct Region {
    /// Block arguments.
    pub arguments: Vec<Value>,
    /// Operations; the last one is the terminator.
    pub operations: Vec<Operation>,
}

/// A function.
#[derive(Clone, Debug)]
pub struct Function {
    /// Symbol name.
    pub name: String,
    /// Whether others may call it; `main` is public.
    pub public: bool,
    /// The body, whose arguments are the function's.
    pub body: Region,
    /// Types of the results.
    pub results: Vec<Type>,
    /// Attributes of each argument, where given.
    pub argument_attributes: Vec<Attributes>,
    /// Attributes of each result, where given.
    pub result_attributes: Vec<Attributes>,
}

/// A module.
#[derive(Clone, Debug, Default)]
pub struct Module {
    /// Functions in order.
    pub functions: Vec<Function>,
    /// Discardable attributes of the module (`mhlo.num_partitions`, …).
    pub attributes: Attributes,
    /// The type of each value.
    pub value_types: Vec<Type>,
    /// The names that the locations of arguments carry: where in the exported function's arguments each was (`xs[1]`).
    pub argument_names: BTreeMap<Value, String>,
}

impl Module {
    /// The type of a value.
    pub fn value_type(&self, value: Value) -> &Type {
        &self.value_types[value.0 as usize]
    }

    /// The names of the entry function's arguments, where it is known and its locations have names.
    pub fn entry_names(&self) -> Vec<Option<&str>> {
        let Some(entry) = self.entry() else { return vec![] };
        entry.body.arguments.iter().map(|value| self.argument_names.get(value).map(String::as_str)).collect()
    }

    /// The function `main`, or the only one.
    pub fn entry(&self) -> Option<&Function> {
        match &self.functions[..] {
            [only] => Some(only),
            _ => self.function("main"),
        }
    }

    /// The function with this name.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|f| f.name == name)
    }
}

impl Operation {
    fn bad(&self, name: &str, expected: &str) -> Error {
        let found = match self.attributes.get(name) {
            None => "nothing".to_string(),
            Some(attribute) => format!("{attribute:?}").chars().take(80).collect(),
        };
        Error::new(ErrorKind::Malformed, format!("{}: attribute {name}: expected {expected}, found {found}", self.name))
            .at(&self.location)
    }

    /// An integer attribute.
    pub fn int(&self, name: &str) -> Result<i64> {
        match self.attributes.get(name) {
            Some(Attribute::Int(value)) => Ok(*value),
            Some(Attribute::Bool(value)) => Ok(*value as i64),
            _ => Err(self.bad(name, "an integer")),
        }
    }

    /// A non-negative integer attribute.
    pub fn index(&self, name: &str) -> Result<usize> {
        usize::try_from(self.int(name)?).map_err(|_| self.bad(name, "a non-negative integer"))
    }

    /// A list of integers; absent where the operation has a default is the caller's business.
    pub fn ints(&self, name: &str) -> Result<Vec<i64>> {
        match self.attributes.get(name) {
            Some(Attribute::Dense(tensor)) => Ok((0..tensor.shape().size()).map(|i| integer(tensor, i)).collect()),
            Some(Attribute::Array(items)) => items
                .iter()
                .map(|item| match item {
                    Attribute::Int(value) => Ok(*value),
                    Attribute::Bool(value) => Ok(*value as i64),
                    _ => Err(self.bad(name, "a list of integers")),
                })
                .collect(),
            _ => Err(self.bad(name, "a list of integers")),
        }
    }

    /// A list of non-negative integers.
    pub fn indices(&self, name: &str) -> Result<Vec<usize>> {
        self.ints(name)?
            .into_iter()
            .map(|v| usize::try_from(v).map_err(|_| self.bad(name, "a list of non-negative integers")))
            .collect()
    }

    /// A list of non-negative integers, or a default where the attribute is absent.
    pub fn indices_or(&self, name: &str, default: impl FnOnce() -> Vec<usize>) -> Result<Vec<usize>> {
        if self.attributes.contains_key(name) { self.indices(name) } else { Ok(default()) }
    }

    /// A list of pairs of integers (`tensor<n x 2 x i64>`), or `n` pairs of zeros where the attribute is absent.
    pub fn pairs_or_zero(&self, name: &str, n: usize) -> Result<Vec<(i64, i64)>> {
        if !self.attributes.contains_key(name) {
            return Ok(vec![(0, 0); n]);
        }
        let flat = self.ints(name)?;
        if flat.len() != 2 * n {
            return Err(self.bad(name, "two integers for each dimension"));
        }
        Ok(flat.chunks(2).map(|pair| (pair[0], pair[1])).collect())
    }

    /// A boolean attribute, or false where it is absent.
    pub fn flag(&self, name: &str) -> Result<bool> {
        match self.attributes.get(name) {
            None => Ok(false),
            Some(Attribute::Bool(value)) => Ok(*value),
            Some(Attribute::Unit) => Ok(true),
            _ => Err(self.bad(name, "a boolean")),
        }
    }

    /// A number, or a default where the attribute is absent.
    pub fn float_or(&self, name: &str, default: f64) -> Result<f64> {
        match self.attributes.get(name) {
            None => Ok(default),
            Some(Attribute::Float(value)) => Ok(*value),
            Some(Attribute::Int(value)) => Ok(*value as f64),
            _ => Err(self.bad(name, "a number")),
        }
    }

    /// A string or enumerant.
    pub fn string(&self, name: &str) -> Result<&str> {
        match self.attributes.get(name) {
            Some(Attribute::String(value)) => Ok(value),
            _ => Err(self.bad(name, "a string")),
        }
    }

    /// A constant tensor.
    pub fn dense(&self, name: &str) -> Result<&Tensor> {
        match self.attributes.get(name) {
            Some(Attribute::Dense(tensor)) => Ok(tensor),
            Some(Attribute::DenseOther(ty)) => Err(unsupported(format!("constants of type {ty} are not supported"))),
            _ => Err(self.bad(name, "a constant tensor")),
        }
    }
}

/// Element `position` of an integer or boolean tensor.
fn integer(tensor: &Tensor, position: usize) -> i64 {
    let scalar = tensor.get(position);
    let [bits, _] = scalar.bits();
    let unused = 64 - scalar.dtype().bits().min(64) as u32;
    if scalar.dtype().is_signed_integer() { ((bits << unused) as i64) >> unused } else { bits as i64 }
}
