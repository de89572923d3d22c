//! From source text to an expression with every name resolved.

use cel::common::ast::{CallExpr, EntryExpr, Expr as Tree, IdedExpr, LiteralValue, SourceInfo, operators};

use super::call::pattern;
use super::expr::{Arithmetic, Call, Constant, Expr, Field, Function, Loop, LoopKind, Order, Path, Section, call_text};
use crate::library::Library;
use crate::locate::Position;

/// The longest expression: a rule that needs more is two rules.
const SOURCE_BYTES_MAX: usize = 8 * 1024;

/// How deep an expression may nest, so that neither the parser nor the evaluation runs out of stack.
const DEPTH_MAX: u16 = 64;

/// A source text that is no expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CompileError {
    /// Characters before the place of the error.
    pub(crate) offset: usize,
    pub(crate) message: String,
}

/// The language's own functions: name, whether the first argument stands before the dot, fewest and most arguments.
/// A type or table name that is to be written out counts as an argument here.
const FUNCTIONS: [(&str, Style, usize, usize); 22] = [
    ("or", Style::Plain, 2, 2),
    ("resources", Style::Plain, 1, 1),
    ("resources_everywhere", Style::Plain, 1, 1),
    ("related", Style::Plain, 1, 2),
    ("age_days", Style::Plain, 1, 1),
    ("days_until", Style::Plain, 1, 1),
    ("lower", Style::Plain, 1, 1),
    ("number", Style::Plain, 1, 1),
    ("json", Style::Plain, 1, 1),
    ("split", Style::Plain, 2, 2),
    ("join", Style::Plain, 2, 2),
    ("contains_any", Style::Plain, 2, 2),
    ("contains_all", Style::Plain, 2, 2),
    ("table", Style::Plain, 1, 1),
    ("size", Style::Either, 1, 1),
    ("startsWith", Style::Method, 2, 2),
    ("endsWith", Style::Method, 2, 2),
    ("contains", Style::Method, 2, 2),
    ("matches", Style::Either, 2, 2),
    ("int", Style::Plain, 1, 1),
    ("double", Style::Plain, 1, 1),
    ("string", Style::Plain, 1, 1),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    Plain,
    Method,
    Either,
}

/// The macros, which look like methods.
const MACROS: [&str; 6] = ["all", "exists", "exists_one", "existsOne", "filter", "map"];

/// Whether the language itself has a function of this name.
pub(crate) fn is_own_function(name: &str) -> bool {
    name == "has" || MACROS.contains(&name) || FUNCTIONS.iter().any(|(own, ..)| *own == name)
}

/// Parses `source` and resolves its names.
pub(crate) fn compile(source: &str, library: &Library) -> Result<Expr, CompileError> {
    if source.len() > SOURCE_BYTES_MAX {
        return Err(CompileError {
            offset: 0,
            message: format!("the expression is longer than {SOURCE_BYTES_MAX} bytes"),
        });
    }
    // An environment without macros: `has`, `all`, … stay calls, which say more than what they expand to.
    let parser = cel::Env::default().parser().max_recursion_depth(DEPTH_MAX);
    let (tree, info) = parser.parse_with_source_info(source).map_err(|errors| {
        let first = errors.errors.first();
        let [line, column] = first
            .map_or([1, 1], |error| [error.pos.0, error.pos.1].map(|number| u64::try_from(number).unwrap_or(1).max(1)));
        CompileError {
            offset: Position { line, column }.offset_in(source),
            message: first.map_or_else(|| "this is not an expression".to_owned(), |error| syntax(&error.msg)),
        }
    })?;
    Compiler { info, library, locals: Vec::new() }.expr(&tree)
}

/// A parser's message without its list of every token that could stand there.
fn syntax(message: &str) -> String {
    let message = message.trim_start_matches("Syntax error: ");
    let message = message.split(" expecting {").next().unwrap_or_default();
    format!("syntax error: {}", message.replace('\'', "`"))
}

struct Compiler<'a> {
    info: SourceInfo,
    library: &'a Library,
    locals: Vec<String>,
}

type Compiled = Result<Expr, CompileError>;

impl Compiler<'_> {
    fn error<T>(&self, at: &IdedExpr, message: impl Into<String>) -> Result<T, CompileError> {
        let offset = self.info.offset_for(at.id).map_or(0, |(start, _)| start as usize);
        Err(CompileError { offset, message: message.into() })
    }

    fn expr(&mut self, tree: &IdedExpr) -> Compiled {
        match &tree.expr {
            Tree::Literal(literal) => self.literal(tree, literal),
            Tree::Ident(name) => self.name(tree, name),
            Tree::Select(select) => {
                let of = self.expr(&select.operand)?;
                Ok(selected(of, &select.field))
            }
            Tree::Call(call) => self.call(tree, call),
            Tree::List(list) => Ok(Expr::List(self.exprs(&list.elements)?)),
            Tree::Map(map) => {
                let mut entries = Vec::with_capacity(map.entries.len());
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else {
                        return self.error(tree, "expected `key: value`");
                    };
                    entries.push((self.expr(&entry.key)?, self.expr(&entry.value)?));
                }
                Ok(Expr::Record(entries))
            }
            Tree::Struct(object) => {
                self.error(tree, format!("`{}{{…}}` is not part of the language", object.type_name))
            }
            Tree::Comprehension(_) | Tree::Unspecified => self.error(tree, "this is not an expression"),
        }
    }

    fn exprs(&mut self, trees: &[IdedExpr]) -> Result<Vec<Expr>, CompileError> {
        trees.iter().map(|tree| self.expr(tree)).collect()
    }

    fn literal(&self, tree: &IdedExpr, literal: &LiteralValue) -> Compiled {
        Ok(Expr::Constant(match literal {
            LiteralValue::Null => Constant::Null,
            LiteralValue::Boolean(value) => Constant::Bool(*value.inner()),
            LiteralValue::Int(value) => Constant::Int(*value.inner()),
            LiteralValue::Double(value) => Constant::Double(*value.inner()),
            LiteralValue::String(value) => Constant::Text(value.inner().into()),
            LiteralValue::UInt(value) => match i64::try_from(*value.inner()) {
                Ok(value) => Constant::Int(value),
                Err(_) => return self.error(tree, "the number is too large"),
            },
            LiteralValue::Bytes(_) => return self.error(tree, "bytes are not part of the language"),
        }))
    }

    fn name(&self, tree: &IdedExpr, name: &str) -> Compiled {
        if let Some(slot) = self.locals.iter().rposition(|local| local == name) {
            return Ok(Expr::Local { slot, name: name.into() });
        }
        if let Some(section) = Section::from_name(name) {
            return Ok(Expr::Path(Path { section, keys: Vec::new() }));
        }
        if let Some(field) = Field::of_resource(name) {
            return Ok(Expr::Field(field));
        }
        if name == Field::Now.name() {
            return Ok(Expr::Field(Field::Now));
        }
        self.error(
            tree,
            format!(
                "unknown name `{name}`, expected Properties, Attributes, Tags, Type, Id, Arn, Name, Region, Account, \
                 now or a variable of all, exists, filter or map"
            ),
        )
    }

    fn call(&mut self, tree: &IdedExpr, call: &CallExpr) -> Compiled {
        match (&call.target, call.args.as_slice()) {
            (None, [of]) if call.func_name == operators::LOGICAL_NOT => Ok(Expr::Not(Box::new(self.expr(of)?))),
            (None, [of]) if call.func_name == operators::NEGATE => Ok(negated(self.expr(of)?)),
            (None, [of]) if call.func_name == operators::HAS => self.has(of),
            (None, [left, right]) if call.func_name.contains('_') || call.func_name == operators::IN => {
                match self.operator(&call.func_name, left, right)? {
                    Some(expr) => Ok(expr),
                    None => self.function(tree, &call.func_name, None, &call.args),
                }
            }
            (None, [condition, then, otherwise]) if call.func_name == operators::CONDITIONAL => {
                Ok(Expr::If(Box::new([self.expr(condition)?, self.expr(then)?, self.expr(otherwise)?])))
            }
            (Some(target), [variable, rest @ ..]) if MACROS.contains(&call.func_name.as_str()) => {
                self.repeat(&call.func_name, target, variable, rest)
            }
            (target, arguments) => self.function(tree, &call.func_name, target.as_deref(), arguments),
        }
    }

    fn operator(&mut self, name: &str, left: &IdedExpr, right: &IdedExpr) -> Result<Option<Expr>, CompileError> {
        let order = match name {
            operators::LESS => Some(Order::Less),
            operators::LESS_EQUALS => Some(Order::LessOrEqual),
            operators::GREATER => Some(Order::Greater),
            operators::GREATER_EQUALS => Some(Order::GreaterOrEqual),
            _ => None,
        };
        let arithmetic = match name {
            operators::ADD => Some(Arithmetic::Add),
            operators::SUBSTRACT => Some(Arithmetic::Subtract),
            operators::MULTIPLY => Some(Arithmetic::Multiply),
            operators::DIVIDE => Some(Arithmetic::Divide),
            operators::MODULO => Some(Arithmetic::Modulo),
            _ => None,
        };
        let other = [
            operators::LOGICAL_AND,
            operators::LOGICAL_OR,
            operators::EQUALS,
            operators::NOT_EQUALS,
            operators::IN,
            operators::INDEX,
        ];
        if order.is_none() && arithmetic.is_none() && !other.contains(&name) {
            return Ok(None);
        }
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        Ok(Some(match name {
            operators::LOGICAL_AND => Expr::And(flattened(left, right, |expr| match expr {
                Expr::And(terms) => Ok(terms),
                other => Err(other),
            })),
            operators::LOGICAL_OR => Expr::Or(flattened(left, right, |expr| match expr {
                Expr::Or(terms) => Ok(terms),
                other => Err(other),
            })),
            operators::EQUALS => Expr::Equal { sides: Box::new([left, right]), negated: false },
            operators::NOT_EQUALS => Expr::Equal { sides: Box::new([left, right]), negated: true },
            operators::IN => Expr::In(Box::new([left, right])),
            operators::INDEX => indexed(left, right),
            _ => match (order, arithmetic) {
                (Some(operator), _) => Expr::Order { operator, sides: Box::new([left, right]) },
                (None, Some(operator)) => Expr::Arithmetic { operator, sides: Box::new([left, right]) },
                (None, None) => return Ok(None),
            },
        }))
    }

    fn has(&mut self, of: &IdedExpr) -> Compiled {
        match &of.expr {
            Tree::Select(select) => {
                let operand = self.expr(&select.operand)?;
                Ok(Expr::Has { of: Box::new(operand), key: select.field.as_str().into() })
            }
            _ => self.error(of, "`has` needs a path such as `has(Properties.X)`"),
        }
    }

    fn repeat(&mut self, name: &str, range: &IdedExpr, variable: &IdedExpr, rest: &[IdedExpr]) -> Compiled {
        let Tree::Ident(variable_name) = &variable.expr else {
            return self.error(variable, format!("`{name}` needs a variable's name first: `list.{name}(x, …)`"));
        };
        let range = self.expr(range)?;
        self.locals.push(variable_name.clone());
        let parts = self.exprs(rest);
        self.locals.pop();
        let mut parts = parts?.into_iter();
        let (kind, body) = match (name, parts.next(), parts.next(), parts.next()) {
            ("all", Some(body), None, _) => (LoopKind::All, body),
            ("exists", Some(body), None, _) => (LoopKind::Exists, body),
            ("exists_one" | "existsOne", Some(body), None, _) => (LoopKind::ExistsOne, body),
            ("filter", Some(body), None, _) => (LoopKind::Filter, body),
            ("map", Some(body), None, _) => (LoopKind::Map(None), body),
            ("map", Some(condition), Some(body), None) => (LoopKind::Map(Some(condition)), body),
            _ => return self.error(variable, format!("`{name}` needs a variable and an expression: `{name}(x, …)`")),
        };
        Ok(Expr::Loop(Box::new(Loop { kind, range, variable: variable_name.as_str().into(), body })))
    }

    fn function(&mut self, tree: &IdedExpr, name: &str, target: Option<&IdedExpr>, rest: &[IdedExpr]) -> Compiled {
        if let Some(IdedExpr { expr: Tree::Ident(namespace), .. }) = target
            && !self.locals.contains(namespace)
            && self.library.has_namespace(namespace)
        {
            return self.lent(target.unwrap_or(tree), &format!("{namespace}.{name}"), rest);
        }
        let method = target.is_some();
        let Some((_, style, fewest, most)) = FUNCTIONS.iter().find(|(own, ..)| *own == name) else {
            if method {
                return match target {
                    Some(target @ IdedExpr { expr: Tree::Ident(namespace), .. })
                        if !self.locals.contains(namespace) =>
                    {
                        self.error(target, format!("unknown function `{namespace}.{name}`"))
                    }
                    _ => self.error(tree, format!("unknown function `{name}`")),
                };
            }
            return self.lent(tree, name, rest);
        };
        if method && *style == Style::Plain {
            return self.error(tree, format!("`{name}` is written `{name}(…)`, not after a dot"));
        }
        if !method && *style == Style::Method {
            return self.error(tree, format!("`{name}` is written `text.{name}(…)`"));
        }
        let trees: Vec<&IdedExpr> = target.into_iter().chain(rest).collect();
        if trees.len() < *fewest || trees.len() > *most {
            return self.error(tree, arity_message(name, *fewest, *most, trees.len()));
        }
        let mut arguments = Vec::with_capacity(trees.len());
        for argument in &trees {
            arguments.push(self.expr(argument)?);
        }
        let function = match own_function(name, &mut arguments) {
            Ok(Some(function)) => function,
            Ok(None) => return self.error(tree, format!("unknown function `{name}`")),
            Err(message) => return self.error(trees.last().copied().unwrap_or(tree), message),
        };
        Ok(called(function, arguments, method))
    }

    fn lent(&mut self, tree: &IdedExpr, name: &str, rest: &[IdedExpr]) -> Compiled {
        let Some(lent) = self.library.find(name) else {
            return self.error(tree, format!("unknown function `{name}`"));
        };
        if !lent.arity.contains(&rest.len()) {
            return self.error(tree, arity_message(name, *lent.arity.start(), *lent.arity.end(), rest.len()));
        }
        let arguments = self.exprs(rest)?;
        Ok(called(Function::Lent(lent.clone()), arguments, false))
    }
}

fn called(function: Function, arguments: Vec<Expr>, method: bool) -> Expr {
    let text = call_text(&function, &arguments, method);
    Expr::Call(Box::new(Call { function, arguments, text }))
}

/// The function of a name; takes what has to be written out from the end of the arguments.
fn own_function(name: &str, arguments: &mut Vec<Expr>) -> Result<Option<Function>, String> {
    let mut written = |what: &str| match arguments.pop() {
        Some(Expr::Constant(Constant::Text(text))) => Ok(text),
        _ => Err(format!("`{name}` needs {what} written out, in quotes")),
    };
    Ok(Some(match name {
        "or" => Function::Or,
        "resources" => Function::Resources(resource_type(&written("a type")?)?),
        "resources_everywhere" => Function::ResourcesEverywhere(resource_type(&written("a type")?)?),
        "related" => Function::Related(resource_type(&written("a type")?)?),
        "age_days" => Function::AgeDays,
        "days_until" => Function::DaysUntil,
        "lower" => Function::Lower,
        "number" => Function::Number,
        "json" => Function::Json,
        "split" => Function::Split,
        "join" => Function::Join,
        "contains_any" => Function::ContainsAny,
        "contains_all" => Function::ContainsAll,
        "table" => Function::Table(written("a table's name")?),
        "size" => Function::Size,
        "startsWith" => Function::StartsWith,
        "endsWith" => Function::EndsWith,
        "contains" => Function::Contains,
        "matches" => match arguments.last() {
            Some(Expr::Constant(Constant::Text(text))) => Function::Matches(Some(pattern(text)?)),
            _ => Function::Matches(None),
        },
        "int" => Function::Int,
        "double" => Function::Double,
        "string" => Function::Text,
        _ => return Ok(None),
    }))
}

/// A type as CloudFormation names them: `AWS::S3::Bucket`, or a pseudo-type such as `AWS::::Account`.
pub(crate) fn resource_type(text: &str) -> Result<yagura_model::ResourceType, String> {
    let parts: Vec<&str> = text.split("::").collect();
    let sound = |part: &&str| part.chars().all(|letter| letter.is_ascii_alphanumeric());
    match parts.as_slice() {
        [vendor, _, .., last] if !vendor.is_empty() && !last.is_empty() && parts.iter().all(sound) => Ok(text.into()),
        _ => Err(format!("`{text}` is not a resource type such as `AWS::S3::Bucket`")),
    }
}

fn arity_message(name: &str, fewest: usize, most: usize, given: usize) -> String {
    let wanted = if fewest == most { fewest.to_string() } else { format!("{fewest} to {most}") };
    format!("`{name}` takes {wanted} arguments, not {given}")
}

fn selected(of: Expr, key: &str) -> Expr {
    match of {
        Expr::Path(mut path) => {
            path.keys.push(key.into());
            Expr::Path(path)
        }
        of => Expr::Select { of: Box::new(of), key: key.into() },
    }
}

fn indexed(of: Expr, index: Expr) -> Expr {
    match index {
        Expr::Constant(Constant::Text(key)) => selected(of, &key),
        index => Expr::Index { of: Box::new(of), index: Box::new(index) },
    }
}

fn negated(of: Expr) -> Expr {
    match of {
        Expr::Constant(Constant::Int(value)) if value != i64::MIN => Expr::Constant(Constant::Int(-value)),
        Expr::Constant(Constant::Double(value)) => Expr::Constant(Constant::Double(-value)),
        of => Expr::Negate(Box::new(of)),
    }
}

fn flattened(left: Expr, right: Expr, terms: impl Fn(Expr) -> Result<Vec<Expr>, Expr>) -> Vec<Expr> {
    let mut all = terms(left).unwrap_or_else(|single| vec![single]);
    all.extend(terms(right).unwrap_or_else(|single| vec![single]));
    all
}
