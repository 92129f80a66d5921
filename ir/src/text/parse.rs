//! The parser: recursive descent over tokens, one function for each form of the grammar.
//!
//! ```text
//! program   = "{" "lambda" { binder "=" contents } ";" { binder } "." "let" { equation } "in" "(" [ atom { "," atom } [ "," ] ] ")" "}"
//! equation  = [ binder { binder } "=" ] op [ "[" { name "=" value } "]" ] { atom }       ended by ";" or a new line
//! binder    = variable ":" dtype "[" [ extent { "," extent } ] "]"
//! atom      = variable | literal
//! literal   = "True" | "False" | number ":" dtype | "(" number number "j" ")" ":" dtype
//! contents  = "{" { element } "}" | "0x" hexadecimal bytes
//! value     = "None" | "True" | "False" | integer | word | string | literal | program
//!           | dtype "[" extents "]" | "(" [ value { "," value } ] ")" | "[" [ value { "," value } ] "]" | word "(" { name "=" value "," } ")"
//! ```

use std::collections::HashMap;
use std::sync::Arc;

use super::error::did_you_mean;
use super::lex::{self, Kind, Token};
use super::literal;
use super::ops;
use super::param::Param;
use super::read::{Entry, ReadError, Reader};
use super::{ParseError, is_reserved};
use crate::infer::infer;
use crate::{Atom, Aval, DType, Eqn, Location, Op, Program, Scalar, Shape, Tensor, Var};

/// How deep programs and tuples may nest; deeper text is an error rather than a stack overflow.
const MAX_DEPTH: usize = 100;

type Parse<T> = Result<T, ParseError>;

impl Program {
    /// The program that a text describes. `file` is the name that errors and locations show.
    ///
    /// ```
    /// use rjax_ir::Program;
    /// let text = "{ lambda ; a:f32[3]. let b:f32[3] = sin a in (b,) }";
    /// let program = Program::parse(text, "wave.jaxpr").unwrap();
    /// assert_eq!(program.to_string(), text);
    /// ```
    pub fn parse(text: &str, file: &str) -> Result<Program, ParseError> {
        let mut parser = Parser::new(text, file)?;
        let program = parser.program()?;
        parser.end()?;
        Ok(program)
    }
}

impl Tensor {
    /// The values that a text lists, separated by commas: `1.0:f32, i32[3]={1 2 3}`; the inverse of `Display`.
    ///
    /// ```
    /// use rjax_ir::Tensor;
    /// let values = Tensor::parse_list("True, i32[3]={1 2 3}", "inputs").unwrap();
    /// assert_eq!(values[1].to_string(), "i32[3]={1 2 3}");
    /// ```
    pub fn parse_list(text: &str, file: &str) -> Result<Vec<Tensor>, ParseError> {
        let mut parser = Parser::new(text, file)?;
        let mut values = vec![];
        while parser.peek().kind != Kind::End {
            values.push(parser.tensor()?);
            if !parser.eat(",") {
                break;
            }
        }
        parser.end()?;
        Ok(values)
    }
}

struct Parser<'t> {
    file: Arc<str>,
    text: &'t str,
    tokens: Vec<Token<'t>>,
    next: usize,
    depth: usize,
}

/// A program under construction and the names in it.
#[derive(Default)]
struct Scope<'t> {
    program: Program,
    names: HashMap<&'t str, Var>,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, file: &str) -> Parse<Parser<'t>> {
        let file: Arc<str> = file.into();
        let tokens = lex::tokens(text, &file)?;
        Ok(Parser { file, text, tokens, next: 0, depth: 0 })
    }

    // Tokens.

    fn peek(&self) -> Token<'t> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Token<'t> {
        self.tokens[(self.next + ahead).min(self.tokens.len() - 1)]
    }

    fn advance(&mut self) -> Token<'t> {
        let token = self.peek();
        self.next = (self.next + 1).min(self.tokens.len() - 1);
        token
    }

    /// Whether the next token is this punctuation or keyword.
    fn at(&self, text: &str) -> bool {
        self.at_ahead(0, text)
    }

    fn at_ahead(&self, ahead: usize, text: &str) -> bool {
        let token = self.peek_at(ahead);
        token.text == text && matches!(token.kind, Kind::Punctuation | Kind::Word)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.at(text);
        if found {
            self.advance();
        }
        found
    }

    fn expect(&mut self, text: &str, context: &str) -> Parse<()> {
        if self.eat(text) { Ok(()) } else { Err(self.expected(&format!("`{text}` {context}"))) }
    }

    fn word(&mut self, what: &str) -> Parse<&'t str> {
        if self.peek().kind == Kind::Word { Ok(self.advance().text) } else { Err(self.expected(what)) }
    }

    fn end(&self) -> Parse<()> {
        if self.peek().kind == Kind::End { Ok(()) } else { Err(self.expected("the end of the text")) }
    }

    fn location(&self) -> Location {
        let token = self.peek();
        Location::Text { file: self.file.clone(), line: token.line, column: token.column }
    }

    // Errors.

    fn expected(&self, what: &str) -> ParseError {
        self.error(self.next, format!("expected {what}, found {}", self.peek().describe()))
    }

    fn error(&self, token: usize, message: impl Into<String>) -> ParseError {
        let token = &self.tokens[token];
        let mut error = lex::error(self.text, &self.file, token.line, token.column, message);
        error.width = token.text.chars().count().max(1) as u32;
        error
    }

    /// Runs a part of the grammar that may contain itself.
    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Parse<T>) -> Parse<T> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(self.next, format!("programs and tuples nest deeper than {MAX_DEPTH} levels")));
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    // Programs.

    fn program(&mut self) -> Parse<Program> {
        self.nested(Parser::program_inside)
    }

    fn program_inside(&mut self) -> Parse<Program> {
        let mut scope = Scope::default();
        self.expect("{", "at the start of a program")?;
        self.expect("lambda", "after `{`")?;
        while !self.at(";") {
            if self.depth > 1 {
                return Err(self.expected("`;`: a program inside an op has no constants"));
            }
            let (name, aval) = (self.next, self.binder("a constant or `;`")?);
            let v = self.define(&mut scope, name, aval.clone())?;
            self.expect("=", "and the elements of the constant")?;
            let value = self.contents(aval)?;
            scope.program.consts.push((v, value));
        }
        self.expect(";", "after the constants")?;
        while !self.at(".") {
            let (name, aval) = (self.next, self.binder("an input or `.`")?);
            let v = self.define(&mut scope, name, aval)?;
            scope.program.invars.push(v);
        }
        self.expect(".", "after the inputs")?;
        self.expect("let", "after `.`")?;
        while !self.at("in") {
            self.equation(&mut scope)?;
            let separated = self.eat(";") || self.peek().starts_line || self.at("in");
            if !separated {
                return Err(self.expected("an operand, `;`, a new line or `in`"));
            }
        }
        self.expect("in", "after the equations")?;
        self.expect("(", "before the outputs")?;
        while !self.at(")") {
            let output = self.atom(&scope)?;
            scope.program.outvars.push(output);
            if !self.eat(",") && !self.at(")") {
                return Err(self.expected("`,` or `)`"));
            }
        }
        self.expect(")", "after the outputs")?;
        self.expect("}", "at the end of a program")?;
        Ok(scope.program)
    }

    /// `name:dtype[extents]`; returns the type and leaves the name to the caller.
    fn binder(&mut self, what: &str) -> Parse<Aval> {
        let name = self.word(what)?;
        if is_reserved(name) {
            self.next -= 1;
            return Err(self.expected(what));
        }
        self.expect(":", &format!("and the type of {name}"))?;
        self.aval()
    }

    fn define(&mut self, scope: &mut Scope<'t>, token: usize, aval: Aval) -> Parse<Var> {
        let name = self.tokens[token].text;
        let v = Var(scope.program.avals.len() as u32);
        if name != "_" && scope.names.insert(name, v).is_some() {
            return Err(self.error(token, format!("variable {name} is defined twice")));
        }
        scope.program.avals.push(aval);
        Ok(v)
    }

    fn dtype(&mut self) -> Parse<DType> {
        let token = self.next;
        let name = self.word("a dtype")?;
        DType::parse(name).ok_or_else(|| {
            let names = DType::all().map(DType::name).collect::<Vec<_>>();
            self.error(
                token,
                format!(
                    "unknown dtype {name:?}{} (dtypes: {})",
                    did_you_mean(name, names.iter().copied()),
                    names.join(", ")
                ),
            )
        })
    }

    fn aval(&mut self) -> Parse<Aval> {
        let token = self.next;
        let dtype = self.dtype()?;
        self.expect("[", "and the extents after the dtype")?;
        let mut extents: Vec<usize> = vec![];
        while !self.at("]") {
            let extent = self.peek();
            match extent.text.parse() {
                Ok(extent) if self.peek().kind == Kind::Number => extents.push(extent),
                Ok(_) | Err(_) => return Err(self.expected("an extent or `]`")),
            }
            self.advance();
            if !self.eat(",") && !self.at("]") {
                return Err(self.expected("`,` or `]`"));
            }
        }
        self.expect("]", "after the extents")?;
        let bytes = extents.iter().try_fold(dtype.size(), |bytes, &extent| bytes.checked_mul(extent));
        if bytes.is_none_or(|bytes| bytes > isize::MAX as usize) {
            return Err(self.error(token, "an array of this type does not fit in memory"));
        }
        Ok(Aval::new(dtype, Shape::from(extents)))
    }

    // Equations.

    fn equation(&mut self, scope: &mut Scope<'t>) -> Parse<()> {
        let mut binders: Vec<(usize, Aval)> = vec![];
        if self.at_ahead(1, ":") {
            while !self.at("=") {
                let token = self.next;
                binders.push((token, self.binder("a result or `=`")?));
            }
            self.expect("=", "after the results")?;
        }
        let (at, location) = (self.next, self.location());
        let name = self.word("an equation or `in`")?;
        let entries = if self.eat("[") { self.entries("]")? } else { vec![] };
        let op = self.op(name, at, entries)?;
        let mut inputs = vec![];
        while !(self.peek().starts_line
            || self.at(";")
            || self.at("in")
            || self.at("}")
            || self.peek().kind == Kind::End)
        {
            inputs.push(self.atom(scope)?);
        }
        self.check_types(scope, at, &op, &inputs, &binders)?;
        let mut outputs = vec![];
        for (token, aval) in binders {
            outputs.push(self.define(scope, token, aval)?);
        }
        scope.program.eqns.push(Eqn { op, inputs, outputs, location });
        Ok(())
    }

    fn op(&self, name: &str, at: usize, entries: Vec<Entry>) -> Parse<Op> {
        let mistake = |e: ReadError| self.error(e.token, e.message);
        let mut reader = Reader::new(name, at, entries);
        match ops::from_params(name, &mut reader).map_err(mistake)? {
            Some(op) => reader.finish().map_err(mistake).map(|()| op),
            None => Err(self.error(at, format!("unknown op {name:?}{}", did_you_mean(name, ops::names())))),
        }
    }

    fn check_types(&self, scope: &Scope, at: usize, op: &Op, inputs: &[Atom], binders: &[(usize, Aval)]) -> Parse<()> {
        let avals: Vec<Aval> = inputs.iter().map(|&input| scope.program.aval(input)).collect();
        let results = infer(op, &avals).map_err(|e| self.error(at, e.message))?;
        if results.len() != binders.len() {
            let plural =
                |count: usize, one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
            let (has, named) =
                (plural(results.len(), "result", "results"), plural(binders.len(), "is named", "are named"));
            let message = format!("{} has {has}, but {named}", op.name());
            return Err(self.error(at, message));
        }
        for ((token, declared), result) in binders.iter().zip(results) {
            if *declared != result {
                let name = self.tokens[*token].text;
                let message = format!("{name} is declared as {declared}, but {} gives {result}", op.name());
                return Err(self.error(*token, message));
            }
        }
        Ok(())
    }

    // Operands and literals.

    fn atom(&mut self, scope: &Scope<'t>) -> Parse<Atom> {
        if let Some(literal) = self.literal()? {
            return Ok(Atom::Lit(literal));
        }
        let token = self.next;
        let name = self.word("a variable or literal")?;
        match scope.names.get(name) {
            Some(&v) => Ok(Atom::Var(v)),
            None if is_reserved(name) => {
                Err(self.error(token, format!("expected a variable or literal, found `{name}`")))
            }
            None => {
                let mut names: Vec<&str> = scope.names.keys().copied().collect();
                names.sort_by_key(|name| scope.names[name]);
                let hint = if name.len() > 2 { did_you_mean(name, names) } else { String::new() };
                Err(self.error(token, format!("undefined variable {name}{hint}")))
            }
        }
    }

    /// A literal, if the next tokens are one.
    fn literal(&mut self) -> Parse<Option<Scalar>> {
        let token = self.peek();
        match token.text {
            "True" | "False" if token.kind == Kind::Word => {
                self.advance();
                if self.at(":") {
                    self.literal_dtype()?;
                }
                return Ok(Some(Scalar::new(token.text == "True")));
            }
            "(" if self.is_complex() => {
                let at = self.next + 1;
                let (re, im) = self.complex()?;
                let dtype = self.literal_dtype()?;
                return literal::parse_complex(dtype, re, im).map(Some).map_err(|message| self.error(at, message));
            }
            "nan" | "inf" if self.at_ahead(1, ":") => {}
            _ if token.kind == Kind::Number => {}
            _ => return Ok(None),
        }
        let at = self.next;
        self.advance();
        if !self.at(":") {
            return Err(self.expected(&format!("`:` and the dtype of the literal {}", token.text)));
        }
        let dtype = self.literal_dtype()?;
        literal::parse_real(dtype, token.text).map(Some).map_err(|message| self.error(at, message))
    }

    /// `:dtype`, with or without `[]` after it.
    fn literal_dtype(&mut self) -> Parse<DType> {
        self.expect(":", "and a dtype")?;
        let dtype = self.dtype()?;
        if self.at("[") && self.at_ahead(1, "]") {
            self.next += 2;
        }
        Ok(dtype)
    }

    /// Whether the next tokens are a complex number in parentheses.
    fn is_complex(&self) -> bool {
        let (re, im) = (self.peek_at(1), self.peek_at(2));
        matches!(re.kind, Kind::Number | Kind::Word)
            && im.kind == Kind::Number
            && im.text.ends_with('j')
            && self.at_ahead(3, ")")
    }

    fn complex(&mut self) -> Parse<(&'t str, &'t str)> {
        self.expect("(", "before a complex number")?;
        let (re, im) = (self.advance().text, self.advance().text);
        self.expect(")", "after a complex number")?;
        Ok((re, im.trim_end_matches('j')))
    }

    // Arrays.

    /// `1.0:f32` or `f32[2]={1.0 2.0}`.
    fn tensor(&mut self) -> Parse<Tensor> {
        if let Some(literal) = self.literal()? {
            return Ok(literal.to_tensor());
        }
        let aval = self.aval()?;
        self.expect("=", "and the elements")?;
        self.contents(aval)
    }

    /// The elements of an array of this type.
    fn contents(&mut self, aval: Aval) -> Parse<Tensor> {
        let at = self.next;
        if self.peek().kind == Kind::Number {
            let digits = self.advance().text;
            return literal::parse_hex(aval.dtype, &aval.shape, digits).map_err(|message| self.error(at, message));
        }
        self.expect("{", "or 0x… with the elements")?;
        let mut values = vec![];
        while !self.at("}") {
            values.push(self.element(aval.dtype)?);
        }
        self.expect("}", "after the elements")?;
        if values.len() != aval.size() {
            return Err(self.error(at, format!("{aval} has {} elements, found {}", aval.size(), values.len())));
        }
        Ok(Tensor::from_scalars(&aval, &values))
    }

    fn element(&mut self, dtype: DType) -> Parse<Scalar> {
        let at = self.next;
        let value = if self.is_complex() && self.at("(") {
            let (re, im) = self.complex()?;
            literal::parse_complex(dtype, re, im)
        } else if matches!(self.peek().kind, Kind::Number | Kind::Word) {
            literal::parse_real(dtype, self.advance().text)
        } else {
            return Err(self.expected("an element or `}`"));
        };
        value.map_err(|message| self.error(at, message))
    }

    // Parameters.

    /// `name=value` up to a closing bracket; commas are optional.
    fn entries(&mut self, close: &str) -> Parse<Vec<Entry>> {
        let mut entries: Vec<Entry> = vec![];
        while !self.at(close) {
            let token = self.next;
            let name: Arc<str> = self.word(&format!("a parameter or `{close}`"))?.into();
            if entries.iter().any(|entry| entry.name == name) {
                return Err(self.error(token, format!("parameter {name} is given twice")));
            }
            self.expect("=", &format!("and the value of {name}"))?;
            let value = self.value()?;
            entries.push(Entry { name, value, token });
            self.eat(",");
        }
        self.expect(close, "after the parameters")?;
        Ok(entries)
    }

    fn value(&mut self) -> Parse<Param> {
        let token = self.peek();
        match token.kind {
            Kind::Number if !self.at_ahead(1, ":") => {
                let value = token.text.parse().map_err(|_| self.expected("an integer, or a literal with its dtype"))?;
                self.advance();
                Ok(Param::Int(value))
            }
            Kind::String => {
                let text = lex::unescape(token.text).map_err(|message| self.error(self.next, message))?;
                self.advance();
                Ok(Param::Name(text.into()))
            }
            Kind::Punctuation if token.text == "{" => self.program().map(|program| Param::Program(program.into())),
            Kind::Punctuation if token.text == "(" && !self.is_complex() => self.items("(", ")").map(Param::Tuple),
            Kind::Punctuation if token.text == "[" => self.items("[", "]").map(Param::List),
            Kind::Word if self.at_ahead(1, "(") => {
                let name = self.advance().text;
                self.advance();
                let fields = self.nested(|parser| parser.entries(")"))?;
                Ok(Param::Record(name.into(), fields.into_iter().map(|field| (field.name, field.value)).collect()))
            }
            Kind::Word if self.at_ahead(1, "[") && DType::parse(token.text).is_some() => self.aval().map(Param::Aval),
            Kind::Word if !self.at_ahead(1, ":") => Ok(match self.advance().text {
                "None" => Param::None,
                "True" => Param::Bool(true),
                "False" => Param::Bool(false),
                name => Param::Name(name.into()),
            }),
            Kind::Number | Kind::Word | Kind::Punctuation | Kind::End => {
                self.literal()?.map(Param::Scalar).ok_or_else(|| self.expected("a value"))
            }
        }
    }

    fn items(&mut self, open: &str, close: &str) -> Parse<Vec<Param>> {
        self.nested(|parser| {
            parser.expect(open, "before a list of values")?;
            let mut items = vec![];
            while !parser.at(close) {
                items.push(parser.value()?);
                if !parser.eat(",") && !parser.at(close) {
                    return Err(parser.expected(&format!("`,` or `{close}`")));
                }
            }
            parser.expect(close, "after a list of values")?;
            Ok(items)
        })
    }
}
