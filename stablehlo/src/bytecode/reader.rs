//! The reader: sections, then types and attributes on demand, then the operation tree.

use std::collections::HashMap;

use rjax_ir::{Aval, DType, Location, Narrow, Result, Shape, Tensor};

use super::cursor::Cursor;
use super::{MAGIC, properties};
use crate::mlir::{Attribute, Attributes, ElementType, Function, Module, Operation, Region, Type, Value};

/// How deep attributes, types and regions may nest.
const DEPTH_LIMIT: usize = 64;
/// The largest splat constant that is expanded: 2^28 elements.
const SPLAT_LIMIT: usize = 1 << 28;
/// The code of a location that is a name and another location.
const NAMED_LOCATION: u64 = 14;

/// Reads a portable artifact.
///
/// Errors name the byte where the artifact is malformed; no input panics or allocates more than a small multiple of its size
/// (splat constants excepted, which are bounded).
pub fn read(bytes: &[u8]) -> Result<Module> {
    let mut cursor = Cursor::new(bytes);
    if cursor.take(4).map(|magic| magic != MAGIC).unwrap_or(true) {
        return Err(Cursor::new(bytes).error("this is not MLIR bytecode: the first bytes are not 4D 4C EF 52"));
    }
    let version = cursor.varint()?;
    if version > 6 {
        return Err(cursor.error(format!("bytecode version {version} is not known; versions 0 to 6 are")));
    }
    cursor.null_terminated()?;
    let mut sections: HashMap<u8, Cursor> = HashMap::new();
    while !cursor.is_empty() {
        let (id, section) = cursor.section()?;
        if sections.insert(id, section).is_some() {
            return Err(cursor.error(format!("section {id} occurs twice")));
        }
    }
    let section = |id: u8, name: &str| {
        sections.get(&id).copied().ok_or_else(|| cursor.error(format!("the {name} section is missing")))
    };
    let strings = read_strings(section(0, "string")?)?;
    let (dialects, operation_names) = read_dialects(section(1, "dialect")?, version, &strings)?;
    let entries = read_offsets(section(3, "attribute offset")?, section(2, "attribute")?, &dialects)?;
    let properties = match sections.get(&8) {
        Some(&section) => read_properties(section)?,
        None => vec![],
    };
    let mut reader = Reader {
        version,
        strings,
        operation_names,
        attributes: entries.0.into_iter().map(Entry::new).collect(),
        types: entries.1.into_iter().map(Entry::new).collect(),
        properties,
        module: Module::default(),
    };
    reader.module(section(4, "IR")?)?;
    Ok(reader.module)
}

fn read_strings<'a>(mut section: Cursor<'a>) -> Result<Vec<&'a [u8]>> {
    let count = section.count()?;
    let mut lengths = (0..count).map(|_| section.varint()).collect::<Result<Vec<_>>>()?;
    lengths.reverse();
    lengths
        .into_iter()
        .map(|length| {
            let bytes = section.take(usize::try_from(length).unwrap_or(usize::MAX))?;
            bytes.strip_suffix(&[0]).ok_or_else(|| section.error("a string does not end in NUL"))
        })
        .collect()
}

fn text(strings: &[&[u8]], index: u64, cursor: &Cursor) -> Result<String> {
    let bytes = strings.get(index as usize).ok_or_else(|| cursor.error(format!("there is no string {index}")))?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

fn read_dialects(mut section: Cursor, version: u64, strings: &[&[u8]]) -> Result<(Vec<String>, Vec<String>)> {
    let mut dialects = vec![];
    for _ in 0..section.count()? {
        if version >= 1 {
            let (name, versioned) = section.flagged_varint()?;
            dialects.push(text(strings, name, &section)?);
            if versioned {
                section.section()?;
            }
        } else {
            let name = section.varint()?;
            dialects.push(text(strings, name, &section)?);
        }
    }
    if version >= 4 {
        section.varint()?;
    }
    let mut names = vec![];
    while !section.is_empty() {
        let dialect = section.varint()?;
        let dialect = dialects.get(dialect as usize).ok_or_else(|| section.error("there is no such dialect"))?.clone();
        for _ in 0..section.count()? {
            let name = if version >= 5 { section.flagged_varint()?.0 } else { section.varint()? };
            names.push(format!("{dialect}.{}", text(strings, name, &section)?));
        }
    }
    Ok((dialects, names))
}

/// An encoded attribute or type: its dialect, whether the dialect's own encoding is used, and the bytes.
struct Encoded<'a> {
    dialect: Dialect,
    custom: bool,
    bytes: Cursor<'a>,
}

#[derive(Clone, Copy, PartialEq)]
enum Dialect {
    Builtin,
    Vhlo,
    Other,
}

fn read_offsets<'a>(
    mut offsets: Cursor<'a>,
    mut data: Cursor<'a>,
    dialects: &[String],
) -> Result<(Vec<Encoded<'a>>, Vec<Encoded<'a>>)> {
    let counts = [offsets.varint()?, offsets.varint()?];
    let mut read = |count: u64| -> Result<Vec<Encoded<'a>>> {
        let mut entries = vec![];
        while (entries.len() as u64) < count {
            let dialect = offsets.varint()? as usize;
            let dialect = match dialects.get(dialect).map(String::as_str) {
                Some("builtin") => Dialect::Builtin,
                Some("vhlo") => Dialect::Vhlo,
                Some(_) => Dialect::Other,
                None => return Err(offsets.error("there is no such dialect")),
            };
            for _ in 0..offsets.count()? {
                let (size, custom) = offsets.flagged_varint()?;
                let bytes = data.split(usize::try_from(size).unwrap_or(usize::MAX))?;
                entries.push(Encoded { dialect, custom, bytes });
            }
        }
        Ok(entries)
    };
    Ok((read(counts[0])?, read(counts[1])?))
}

fn read_properties<'a>(mut section: Cursor<'a>) -> Result<Vec<Cursor<'a>>> {
    (0..section.count()?)
        .map(|_| {
            let size = section.varint()?;
            section.split(usize::try_from(size).unwrap_or(usize::MAX))
        })
        .collect()
}

struct Entry<'a, T> {
    encoded: Encoded<'a>,
    decoded: Option<T>,
}

impl<'a, T> Entry<'a, T> {
    fn new(encoded: Encoded<'a>) -> Entry<'a, T> {
        Entry { encoded, decoded: None }
    }
}

struct Reader<'a> {
    version: u64,
    strings: Vec<&'a [u8]>,
    operation_names: Vec<String>,
    attributes: Vec<Entry<'a, Attribute>>,
    types: Vec<Entry<'a, Type>>,
    properties: Vec<Cursor<'a>>,
    module: Module,
}

/// The values visible in a region: those of the enclosing regions up to the isolated one, then its own.
#[derive(Default)]
struct Scope {
    values: Vec<Option<Value>>,
}

impl<'a> Reader<'a> {
    fn string(&self, cursor: &mut Cursor) -> Result<String> {
        let index = cursor.varint()?;
        text(&self.strings, index, cursor)
    }

    fn type_at(&mut self, index: u64, cursor: &Cursor, depth: usize) -> Result<Type> {
        let entry = self.types.get(index as usize).ok_or_else(|| cursor.error(format!("there is no type {index}")))?;
        if let Some(ty) = &entry.decoded {
            return Ok(ty.clone());
        }
        if depth > DEPTH_LIMIT {
            return Err(cursor.error("types nest too deeply"));
        }
        let mut bytes = entry.encoded.bytes;
        let (dialect, custom) = (entry.encoded.dialect, entry.encoded.custom);
        let ty = match (dialect, custom) {
            (_, false) => Type::Other(String::from_utf8_lossy(bytes.null_terminated()?).into_owned()),
            (Dialect::Vhlo, true) => self.vhlo_type(&mut bytes, depth)?,
            (Dialect::Builtin, true) => self.builtin_type(&mut bytes, depth)?,
            (Dialect::Other, true) => Type::Other("a type of another dialect".into()),
        };
        self.types[index as usize].decoded = Some(ty.clone());
        Ok(ty)
    }

    fn type_ref(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Type> {
        let index = cursor.varint()?;
        self.type_at(index, cursor, depth + 1)
    }

    fn type_list(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Vec<Type>> {
        (0..cursor.count()?).map(|_| self.type_ref(cursor, depth)).collect()
    }

    /// An element type is encoded as a type of rank 0 would be; it is carried as one here.
    fn tensor_type(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Type> {
        let shape = cursor.signed_list()?.into_iter().map(|extent| usize::try_from(extent).ok()).collect();
        let element = match self.type_ref(cursor, depth)? {
            Type::Tensor { shape, element } if shape.is_empty() => element,
            other => ElementType::Other(other.to_string()),
        };
        Ok(Type::Tensor { shape, element })
    }

    fn vhlo_type(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Type> {
        let scalar = |dtype| Type::Tensor { shape: vec![], element: ElementType::DType(dtype) };
        let other = |name: &str| Type::Tensor { shape: vec![], element: ElementType::Other(name.into()) };
        Ok(match cursor.varint()? {
            0 => scalar(DType::Bool),
            1 => match self.type_ref(cursor, depth)? {
                Type::Tensor { element: ElementType::DType(DType::F32), .. } => scalar(DType::C64),
                Type::Tensor { element: ElementType::DType(DType::F64), .. } => scalar(DType::C128),
                part => other(&format!("complex<{part}>")),
            },
            2 => scalar(DType::BF16),
            3 => scalar(DType::F16),
            4 => scalar(DType::F32),
            5 => scalar(DType::F64),
            8 => Type::Function(self.type_list(cursor, depth)?, self.type_list(cursor, depth)?),
            9 => Type::Tensor { shape: vec![], element: ElementType::Index },
            11 => scalar(DType::I8),
            12 => scalar(DType::I16),
            13 => scalar(DType::I32),
            14 => scalar(DType::I64),
            16 => scalar(DType::U8),
            17 => scalar(DType::U16),
            18 => scalar(DType::U32),
            19 => scalar(DType::U64),
            20 => self.tensor_type(cursor, depth)?,
            21 => {
                cursor.varint()?;
                self.tensor_type(cursor, depth)?
            }
            22 => Type::Token,
            23 => Type::Tuple(self.type_list(cursor, depth)?),
            6 => scalar(DType::Narrow(Narrow::F8E4M3FN)),
            7 => scalar(DType::Narrow(Narrow::F8E5M2)),
            10 => scalar(DType::Narrow(Narrow::I4)),
            15 => scalar(DType::Narrow(Narrow::U4)),
            24 | 30 => other("quantized"),
            27 => scalar(DType::Narrow(Narrow::F8E4M3FNUZ)),
            28 => scalar(DType::Narrow(Narrow::F8E5M2FNUZ)),
            29 => scalar(DType::Narrow(Narrow::F8E4M3B11FNUZ)),
            31 => scalar(DType::Narrow(Narrow::I2)),
            32 => scalar(DType::Narrow(Narrow::U2)),
            33 => Type::Other("none".into()),
            34 => other("tf32"),
            35 => scalar(DType::Narrow(Narrow::F8E4M3)),
            36 => scalar(DType::Narrow(Narrow::F8E3M4)),
            37 => other("f4E2M1FN"),
            38 => other("f6E2M3FN"),
            39 => other("f6E3M2FN"),
            40 => scalar(DType::Narrow(Narrow::F8E8M0FNU)),
            25 => Type::Other("unranked tensor".into()),
            26 => Type::Other("witness".into()),
            41 => Type::Other("buffer".into()),
            42 => Type::Other("future".into()),
            code => return Err(cursor.error(format!("vhlo type code {code} is not known"))),
        })
    }

    fn builtin_type(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Type> {
        let scalar = |dtype| Type::Tensor { shape: vec![], element: ElementType::DType(dtype) };
        Ok(match cursor.varint()? {
            0 => {
                let packed = cursor.varint()?;
                let (width, unsigned) = (packed >> 2, packed & 3 == 2);
                match (width, unsigned) {
                    (1, _) => scalar(DType::Bool),
                    (8, false) => scalar(DType::I8),
                    (16, false) => scalar(DType::I16),
                    (32, false) => scalar(DType::I32),
                    (64, false) => scalar(DType::I64),
                    (8, true) => scalar(DType::U8),
                    (16, true) => scalar(DType::U16),
                    (32, true) => scalar(DType::U32),
                    (64, true) => scalar(DType::U64),
                    (2, false) => scalar(DType::Narrow(Narrow::I2)),
                    (4, false) => scalar(DType::Narrow(Narrow::I4)),
                    (2, true) => scalar(DType::Narrow(Narrow::U2)),
                    (4, true) => scalar(DType::Narrow(Narrow::U4)),
                    (width, _) => Type::Tensor { shape: vec![], element: ElementType::Other(format!("i{width}")) },
                }
            }
            1 => Type::Tensor { shape: vec![], element: ElementType::Index },
            2 => Type::Function(self.type_list(cursor, depth)?, self.type_list(cursor, depth)?),
            3 => scalar(DType::BF16),
            4 => scalar(DType::F16),
            5 => scalar(DType::F32),
            6 => scalar(DType::F64),
            13 => self.tensor_type(cursor, depth)?,
            code => Type::Other(format!("builtin type {code}")),
        })
    }

    fn attribute_at(&mut self, index: u64, cursor: &Cursor, depth: usize) -> Result<Attribute> {
        let entry = self
            .attributes
            .get(index as usize)
            .ok_or_else(|| cursor.error(format!("there is no attribute {index}")))?;
        if let Some(attribute) = &entry.decoded {
            return Ok(attribute.clone());
        }
        if depth > DEPTH_LIMIT {
            return Err(cursor.error("attributes nest too deeply"));
        }
        let mut bytes = entry.encoded.bytes;
        let attribute = match (entry.encoded.dialect, entry.encoded.custom) {
            (Dialect::Vhlo, true) => self.vhlo_attribute(&mut bytes, depth)?,
            (Dialect::Builtin, true) => self.builtin_attribute(&mut bytes, depth)?,
            (_, false) | (Dialect::Other, true) => Attribute::Opaque,
        };
        self.attributes[index as usize].decoded = Some(attribute.clone());
        Ok(attribute)
    }

    fn attribute(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Attribute> {
        let index = cursor.varint()?;
        self.attribute_at(index, cursor, depth + 1)
    }

    fn attribute_list(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Vec<Attribute>> {
        (0..cursor.count()?).map(|_| self.attribute(cursor, depth)).collect()
    }

    fn dictionary(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Attributes> {
        let mut entries = Attributes::new();
        for _ in 0..cursor.count()? {
            let Attribute::String(name) = self.attribute(cursor, depth)? else {
                return Err(cursor.error("the name of an attribute is not a string"));
            };
            entries.insert(name, self.attribute(cursor, depth)?);
        }
        Ok(entries)
    }

    /// The bits of an integer or float of a known width, zero-extended.
    fn bits(&self, cursor: &mut Cursor, width: usize) -> Result<u64> {
        match width {
            0..=8 => Ok(cursor.byte()? as u64),
            9..=64 => Ok(cursor.signed_varint()? as u64),
            _ => Err(cursor.error("integers of more than 64 bits are not supported")),
        }
    }

    fn integer(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Attribute> {
        let (width, signed, is_bool) = match self.type_ref(cursor, depth)? {
            Type::Tensor { element: ElementType::DType(dtype), .. } => {
                (if dtype == DType::Bool { 1 } else { dtype.bits() }, dtype.is_signed_integer(), dtype == DType::Bool)
            }
            Type::Tensor { element: ElementType::Index, .. } => (64, true, false),
            ty => (
                ty.to_string()
                    .trim_start_matches(|c: char| !c.is_ascii_digit())
                    .trim_end_matches('>')
                    .parse()
                    .unwrap_or(64),
                true,
                false,
            ),
        };
        let bits = self.bits(cursor, width)?;
        if is_bool {
            return Ok(Attribute::Bool(bits != 0));
        }
        let unused = 64 - width.clamp(1, 64) as u32;
        Ok(Attribute::Int(if signed {
            ((bits << unused) as i64) >> unused
        } else {
            ((bits << unused) >> unused) as i64
        }))
    }

    fn float(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Attribute> {
        match self.type_ref(cursor, depth)? {
            Type::Tensor { element: ElementType::DType(dtype), .. } if dtype.is_float() => {
                let bits = self.bits(cursor, dtype.bits())? & (u64::MAX >> (64 - dtype.bits()));
                Ok(Attribute::Float(rjax_ir::Scalar::from_bits(dtype, [bits, 0]).to_f64()))
            }
            _ => Ok(Attribute::Opaque),
        }
    }

    fn vhlo_attribute(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Attribute> {
        let enumerant = |cursor: &mut Cursor, names: &[&str]| -> Result<Attribute> {
            let code = cursor.varint()?;
            match names.get(code as usize) {
                Some(name) => Ok(Attribute::String(name.to_string())),
                None => Err(cursor.error(format!("enumerant {code} is not one of {}", names.join(", ")))),
            }
        };
        Ok(match cursor.varint()? {
            1 => Attribute::Array(self.attribute_list(cursor, depth)?),
            2 => Attribute::Bool(cursor.varint()? != 0),
            3 => enumerant(cursor, properties::DIRECTIONS)?,
            4 => enumerant(cursor, properties::COMPARISONS)?,
            5 => enumerant(cursor, properties::CALLS)?,
            6 => Attribute::Dict(self.dictionary(cursor, depth)?),
            7 => enumerant(cursor, properties::TRANSFORMS)?,
            8 => self.float(cursor, depth)?,
            9 => self.integer(cursor, depth)?,
            11 => enumerant(cursor, properties::PRECISIONS)?,
            12 => enumerant(cursor, properties::ALGORITHMS)?,
            13 => enumerant(cursor, properties::DISTRIBUTIONS)?,
            14 => Attribute::String(self.string(cursor)?),
            15 => {
                let ty = self.type_ref(cursor, depth)?;
                let length = cursor.varint()?;
                let blob = cursor.take(usize::try_from(length).unwrap_or(usize::MAX))?;
                dense(&ty, blob, cursor)?
            }
            16 => enumerant(cursor, properties::TRANSPOSES)?,
            17 => Attribute::Type(self.type_ref(cursor, depth)?),
            18 => Attribute::Array(cursor.signed_list()?.into_iter().map(Attribute::Int).collect()),
            10 => {
                let list = |items: Vec<i64>| Attribute::Array(items.into_iter().map(Attribute::Int).collect());
                let output = list(cursor.signed_list()?);
                let operand = Attribute::Int(cursor.signed_varint()?);
                let within = list(cursor.signed_list()?);
                Attribute::Dict(Attributes::from([
                    ("output_tuple_indices".to_string(), output),
                    ("operand_index".to_string(), operand),
                    ("operand_tuple_indices".to_string(), within),
                ]))
            }
            19..=25 => Attribute::Opaque,
            code => return Err(cursor.error(format!("vhlo attribute code {code} is not known"))),
        })
    }

    fn builtin_attribute(&mut self, cursor: &mut Cursor, depth: usize) -> Result<Attribute> {
        Ok(match cursor.varint()? {
            0 => Attribute::Array(self.attribute_list(cursor, depth)?),
            1 => Attribute::Dict(self.dictionary(cursor, depth)?),
            2 | 3 => Attribute::String(self.string(cursor)?),
            4 => self.attribute(cursor, depth)?,
            6 => Attribute::Type(self.type_ref(cursor, depth)?),
            7 => Attribute::Unit,
            8 => self.integer(cursor, depth)?,
            9 => self.float(cursor, depth)?,
            18 => {
                let ty = self.type_ref(cursor, depth)?;
                let length = cursor.varint()?;
                let blob = cursor.take(usize::try_from(length).unwrap_or(usize::MAX))?;
                dense(&ty, blob, cursor)?
            }
            5 | 10..=17 | 19..=22 => Attribute::Opaque,
            code => return Err(cursor.error(format!("builtin attribute code {code} is not known"))),
        })
    }

    fn module(&mut self, mut section: Cursor<'a>) -> Result<()> {
        let (count, _) = section.flagged_varint()?;
        if count != 1 {
            return Err(section.error(format!("expected one top-level operation, found {count}")));
        }
        let mut module = self.operation(&mut section, &mut Scope::default(), &mut 0, 0, 0)?;
        if module.name != "builtin.module" {
            return Err(section.error(format!("expected builtin.module, found {}", module.name)));
        }
        self.module.attributes = std::mem::take(&mut module.attributes);
        for operation in module.regions.into_iter().flat_map(|region| region.operations) {
            if operation.name == "func.func" {
                self.function(operation, &section)?;
            }
        }
        Ok(())
    }

    fn function(&mut self, mut operation: Operation, cursor: &Cursor) -> Result<()> {
        let name = operation.string("sym_name")?.to_string();
        let Some(Attribute::Type(Type::Function(_, results))) = operation.attributes.remove("function_type") else {
            return Err(cursor.error(format!("function {name} has no function type")));
        };
        let mut dictionaries = |name: &str| match operation.attributes.remove(name) {
            Some(Attribute::Array(items)) => items
                .into_iter()
                .map(|item| if let Attribute::Dict(attributes) = item { attributes } else { Attributes::new() })
                .collect(),
            _ => vec![],
        };
        let (argument_attributes, result_attributes) = (dictionaries("arg_attrs"), dictionaries("res_attrs"));
        let public = !matches!(operation.string("sym_visibility"), Ok("private" | "nested"));
        let body = operation.regions.pop().unwrap_or_default();
        self.module.functions.push(Function { name, public, body, results, argument_attributes, result_attributes });
        Ok(())
    }

    fn define(&mut self, ty: Type, scope: &mut Scope, next: &mut usize, cursor: &Cursor) -> Result<Value> {
        let value = Value(self.module.value_types.len() as u32);
        let slot = scope
            .values
            .get_mut(*next)
            .ok_or_else(|| cursor.error("a region defines more values than it announced"))?;
        *slot = Some(value);
        *next += 1;
        self.module.value_types.push(ty);
        Ok(value)
    }

    fn operation(
        &mut self,
        cursor: &mut Cursor<'a>,
        scope: &mut Scope,
        next: &mut usize,
        region_end: usize,
        depth: usize,
    ) -> Result<Operation> {
        if depth > DEPTH_LIMIT {
            return Err(cursor.error("regions nest too deeply"));
        }
        let name = cursor.varint()?;
        let full_name = self
            .operation_names
            .get(name as usize)
            .ok_or_else(|| cursor.error(format!("there is no operation name {name}")))?
            .clone();
        let mask = cursor.byte()?;
        let location = cursor.varint()?;
        let location = self.location(location);
        let mut attributes = Attributes::new();
        if mask & 1 != 0 {
            match self.attribute(cursor, 0)? {
                Attribute::Dict(discardable) => attributes = discardable,
                _ => return Err(cursor.error("the attributes of an operation are not a dictionary")),
            }
        }
        if mask & 0x40 != 0 {
            let index = cursor.varint()?;
            let mut encoded =
                *self.properties.get(index as usize).ok_or_else(|| cursor.error("there are no such properties"))?;
            let vhlo_name = full_name.strip_prefix("vhlo.").unwrap_or("");
            for name in properties::names(vhlo_name).unwrap_or_default() {
                let attribute = self.attribute(&mut encoded, 0)?;
                attributes.insert(name.to_string(), attribute);
            }
        }
        let mut results = vec![];
        if mask & 2 != 0 {
            for _ in 0..cursor.count()? {
                let ty = self.type_ref(cursor, 0)?;
                results.push(self.define(ty, scope, next, cursor)?);
            }
        }
        let mut operands = vec![];
        if mask & 4 != 0 {
            for _ in 0..cursor.count()? {
                let number = cursor.varint()?;
                let value = scope.values.get(number as usize).copied().flatten();
                operands
                    .push(value.ok_or_else(|| cursor.error(format!("value {number} is used before it is defined")))?);
            }
        }
        if mask & 8 != 0 {
            return Err(cursor.error("operations with successors are not supported"));
        }
        if mask & 0x20 != 0 {
            skip_use_list_orders(cursor, results.len())?;
        }
        let mut regions = vec![];
        if mask & 0x10 != 0 {
            let (count, isolated) = cursor.flagged_varint()?;
            let mut nested = *cursor;
            if isolated && self.version >= 2 {
                let (id, section) = cursor.section()?;
                if id != 4 {
                    return Err(cursor.error("expected a nested IR section"));
                }
                nested = section;
            }
            for _ in 0..count {
                let region = if isolated {
                    self.region(&mut nested, &mut Scope::default(), 0, depth)?
                } else {
                    self.region(&mut nested, scope, region_end, depth)?
                };
                regions.push(region);
            }
            if !(isolated && self.version >= 2) {
                *cursor = nested;
            }
        }
        Ok(Operation { name: normalise(&full_name), attributes, operands, results, regions, location })
    }

    /// Reads a region whose own values are numbered from `base`.
    fn region(&mut self, cursor: &mut Cursor<'a>, scope: &mut Scope, base: usize, depth: usize) -> Result<Region> {
        let blocks = cursor.varint()?;
        if blocks == 0 {
            return Ok(Region::default());
        }
        if blocks != 1 {
            return Err(cursor.error(format!("regions of one block are supported, found {blocks} blocks")));
        }
        let count = cursor.count()?;
        let end = base + count;
        scope.values.truncate(base);
        scope.values.resize(end, None);
        let mut next = base;
        let mut region = Region::default();
        let (operations, has_arguments) = cursor.flagged_varint()?;
        if has_arguments {
            for _ in 0..cursor.count()? {
                let (ty, has_location) =
                    if self.version >= 4 { cursor.flagged_varint()? } else { (cursor.varint()?, true) };
                let location = if has_location { Some(cursor.varint()?) } else { None };
                let ty = self.type_at(ty, cursor, 0)?;
                let argument = self.define(ty, scope, &mut next, cursor)?;
                region.arguments.push(argument);
                if let Some(name) = location.and_then(|index| self.location_name(index)) {
                    self.module.argument_names.insert(argument, name);
                }
            }
            if self.version >= 3 && cursor.byte()? & 0x20 != 0 {
                skip_use_list_orders(cursor, region.arguments.len())?;
            }
        }
        for _ in 0..operations {
            region.operations.push(self.operation(cursor, scope, &mut next, end, depth + 1)?);
        }
        Ok(region)
    }

    /// The name of a location attribute that has one.
    fn location_name(&mut self, index: u64) -> Option<String> {
        let encoded = &self.attributes.get(index as usize)?.encoded;
        if encoded.dialect != Dialect::Builtin || !encoded.custom {
            return None;
        }
        let mut bytes = encoded.bytes;
        if bytes.varint().ok()? != NAMED_LOCATION {
            return None;
        }
        match self.attribute(&mut bytes, 0) {
            Ok(Attribute::String(name)) => Some(name),
            _ => None,
        }
    }

    /// The file, line and column of a location attribute, looked up through names and fused locations.
    fn location(&mut self, index: u64) -> Location {
        let mut index = index;
        for _ in 0..DEPTH_LIMIT {
            let Some(entry) = self.attributes.get(index as usize) else { return Location::Unknown };
            if entry.encoded.dialect != Dialect::Builtin || !entry.encoded.custom {
                return Location::Unknown;
            }
            let mut bytes = entry.encoded.bytes;
            let Ok(code) = bytes.varint() else { return Location::Unknown };
            let following = match code {
                10 => bytes.varint(),
                12 => bytes.varint().and_then(|_| bytes.varint()),
                NAMED_LOCATION => bytes.varint().and_then(|_| bytes.varint()),
                11 => {
                    let place = (|| Ok((self.attribute(&mut bytes, 0)?, bytes.varint()?, bytes.varint()?)))();
                    let place: Result<(Attribute, u64, u64)> = place;
                    return match place {
                        Ok((Attribute::String(file), line, column)) => {
                            Location::Text { file: file.into(), line: line as u32, column: column as u32 }
                        }
                        _ => Location::Unknown,
                    };
                }
                22 => {
                    let place = (|| {
                        let file = self.attribute(&mut bytes, 0)?;
                        bytes.varint()?;
                        Ok((file, bytes.varint()?))
                    })();
                    let place: Result<(Attribute, u64)> = place;
                    return match place {
                        Ok((Attribute::String(file), line)) => {
                            Location::Text { file: file.into(), line: line as u32, column: 1 }
                        }
                        _ => Location::Unknown,
                    };
                }
                _ => return Location::Unknown,
            };
            match following {
                Ok(next) => index = next,
                Err(_) => return Location::Unknown,
            }
        }
        Location::Unknown
    }
}

fn skip_use_list_orders(cursor: &mut Cursor, values: usize) -> Result<()> {
    let entries = if values == 1 { 1 } else { cursor.varint()? };
    for _ in 0..entries {
        if values != 1 {
            cursor.varint()?;
        }
        let (count, _) = cursor.flagged_varint()?;
        for _ in 0..count {
            cursor.varint()?;
        }
    }
    Ok(())
}

/// `vhlo.add_v1` becomes `stablehlo.add`; functions, calls and the module keep the names MLIR gives them.
fn normalise(name: &str) -> String {
    let Some(versioned) = name.strip_prefix("vhlo.") else { return name.to_string() };
    let plain = match versioned.rsplit_once("_v") {
        Some((plain, version)) if version.bytes().all(|b| b.is_ascii_digit()) => plain,
        _ => versioned,
    };
    match plain {
        "func" => "func.func".to_string(),
        "call" => "func.call".to_string(),
        plain => format!("stablehlo.{plain}"),
    }
}

/// A constant from its blob: little-endian, row-major; a blob of one element stands for a splat; `i1` is packed in bits.
fn dense(ty: &Type, blob: &[u8], cursor: &Cursor) -> Result<Attribute> {
    let aval = match ty {
        Type::Tensor { shape, element: ElementType::Index } => {
            Aval::new(DType::I64, shape.iter().map(|e| e.unwrap_or(0)).collect::<Vec<_>>())
        }
        Type::Tensor { .. } => match ty.aval() {
            Ok(aval) => aval,
            Err(_) => return Ok(Attribute::DenseOther(ty.clone())),
        },
        Type::Token | Type::Tuple(_) | Type::Function(..) | Type::Other(_) => {
            return Ok(Attribute::DenseOther(ty.clone()));
        }
    };
    let Some(size) = aval.shape.iter().try_fold(1usize, |a, &b| a.checked_mul(b)).filter(|&n| n <= SPLAT_LIMIT) else {
        return Err(cursor.error(format!("a constant of type {ty} is too large")));
    };
    let wrong = || cursor.error(format!("a constant of type {ty} has {} bytes", blob.len()));
    if aval.dtype == DType::Bool {
        let bits: Vec<bool> = match blob {
            [0xff] => vec![true; size],
            [0x00] => vec![false; size],
            [byte] if size == 1 => vec![byte & 1 != 0],
            _ if blob.len() == size => blob.iter().map(|&b| b != 0).collect(),
            _ if blob.len() == size.div_ceil(8) => (0..size).map(|i| blob[i / 8] >> (i % 8) & 1 != 0).collect(),
            _ => return Err(wrong()),
        };
        return Ok(Attribute::Dense(Tensor::from_vec(aval.shape, bits)));
    }
    if blob.len() == aval.dtype.size() && size != 1 {
        let one = Tensor::from_bytes(&Aval::new(aval.dtype, Shape::scalar()), blob);
        return Ok(Attribute::Dense(Tensor::full(aval.shape, one.get(0))));
    }
    if blob.len() != aval.bytes() {
        return Err(wrong());
    }
    Ok(Attribute::Dense(Tensor::from_bytes(&aval, blob)))
}
