//! From a file as written to a [`Definition`]; everything that is wrong with it is found, not only the first thing.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use serde_saphyr::{Location, Spanned};
use yagura_model::ResourceType;

use super::LoadError;
use super::definition::{Batch, Code, Definition, Detail, List, ListCall, Pick, Prepare, Test};
use super::expression::{Expression, Input, Template};
use super::file::{self, Expect, Text};
use crate::redact::{RedactPath, Root};

/// What AWS takes at most in one call of the operations that take lists.
const BATCH_SIZE_MAX: usize = 1_000;

/// Names that every expression may read.
const EVERYWHERE: [&str; 4] = ["item", "account", "partition", "region"];

/// Compiles one file; the errors are in the order of their discovery.
pub(super) fn compile(name: &str, file: file::File) -> Result<Definition, Vec<LoadError>> {
    let mut compiler = Compiler { file: name, errors: Vec::new() };
    let definition = compiler.definition(file);
    if compiler.errors.is_empty() { Ok(definition) } else { Err(compiler.errors) }
}

struct Compiler<'a> {
    file: &'a str,
    errors: Vec<LoadError>,
}

impl Compiler<'_> {
    fn definition(&mut self, file: file::File) -> Definition {
        let global = match file.scope.as_ref().map(|scope| scope.value.as_str()) {
            None | Some("regional") => false,
            Some("global") => true,
            Some(other) => {
                let message = format!("`{other}` is neither `regional` nor `global`");
                self.error(file.scope.as_ref().map(|scope| scope.referenced), message);
                false
            }
        };
        if file.kind.value.split("::").count() < 3 {
            self.error(
                Some(file.kind.referenced),
                format!("`{}` is not a type such as AWS::S3::Bucket", file.kind.value),
            );
        }
        let tests = file.tests.into_iter().map(test).collect();
        let list = self.list(&file.service.value, file.list);
        let mut names: BTreeSet<String> = EVERYWHERE.map(str::to_owned).into();
        if list.parent.is_some() {
            names.insert("parent".to_owned());
        }
        let details = self.details(&file.service.value, file.details, &mut names);
        let id = self.template(&file.id, &names);
        let permissions = file.permissions.0.into_iter().map(|(operation, actions)| (operation, actions.0)).collect();
        let mut definition = Definition {
            kind: ResourceType::from(file.kind.value.as_str()),
            service: file.service.value,
            global,
            file: self.file.to_owned(),
            list,
            details,
            id,
            arn: file.arn.map(|text| self.template(&text, &names)),
            name: file.name.map(|text| self.template(&text, &names)),
            region: file.region.map(|text| self.template(&text, &names)),
            properties: self.members(file.properties.0, &names),
            attributes: self.members(file.attributes.0, &names),
            tags: file.tags.map(|text| self.expression(&text, &names)),
            relations: Vec::new(),
            redact: Vec::new(),
            permissions: Vec::new(),
            tests,
        };
        for relation in file.relations {
            let id = self.expression(&relation.id, &names);
            definition.relations.push((ResourceType::from(relation.kind.value.as_str()), id));
        }
        mark_unique_inputs(&mut definition);
        self.redact(&mut definition, &file.redact);
        self.permissions(&mut definition, permissions);
        definition
    }

    fn list(&mut self, service: &str, list: Spanned<file::List>) -> List {
        let location = list.referenced;
        let list = list.value;
        // With `when` the parent's own object is looked at, whose names are known only when all files are.
        let when = list.when.as_ref().map(|text| self.expression_of_any(text));
        let parent = list.parent.as_ref().map(|text| ResourceType::from(text.value.as_str()));
        if when.is_some() && parent.is_none() {
            self.error(Some(location), "`when` of a list needs `for`".to_owned());
        }
        if list.one {
            let other =
                list.operation.is_some() || list.input.is_some() || list.items.is_some() || !list.each.is_empty();
            if other || list.parent.is_some() {
                self.error(Some(location), "`one: true` makes no call: nothing else may stand beside it".to_owned());
            }
            return List { call: None, parent, when };
        }
        let (Some(operation), Some(items)) = (&list.operation, &list.items) else {
            self.error(Some(location), "a list needs `operation` and `items`, or `one: true`".to_owned());
            return List { call: None, parent, when };
        };
        let mut names: BTreeSet<String> = ["account", "partition", "region"].map(str::to_owned).into();
        if parent.is_some() {
            names.insert("parent".to_owned());
        }
        let region = list.region.as_ref().map(|text| self.template(text, &names));
        let base = list.input.as_ref();
        let mut inputs = Vec::new();
        for each in &list.each {
            let mut merged = base.map_or_else(|| Value::Object(serde_json::Map::new()), |input| input.value.clone());
            match (merged.as_object_mut(), &each.value) {
                (Some(merged), Value::Object(more)) => merged.extend(more.clone()),
                _ => self.error(Some(each.referenced), "`each` and `input` are objects".to_owned()),
            }
            inputs.push(self.input(&merged, each.referenced, &names));
        }
        if inputs.is_empty() {
            inputs.push(self.optional_input(base, &names));
        }
        let call = ListCall {
            service: list.service.map_or_else(|| service.to_owned(), |service| service.value),
            operation: operation.value.clone(),
            region,
            inputs,
            items: self.expression_of_any(items),
            not_set: codes(&list.not_set),
        };
        List { call: Some(call), parent, when }
    }

    fn details(&mut self, service: &str, details: Vec<file::Detail>, names: &mut BTreeSet<String>) -> Vec<Detail> {
        let later: Vec<String> = details.iter().map(|detail| detail.into.value.clone()).collect();
        let mut levels: BTreeMap<String, usize> = BTreeMap::new();
        let mut compiled = Vec::new();
        for detail in details {
            let into = detail.into.clone();
            if let Some(problem) = bad_name(&into.value, names) {
                self.error(Some(into.referenced), problem);
            }
            let before = self.errors.len();
            let mut detail = self.detail(service, detail, names);
            for error in self.errors.iter_mut().skip(before) {
                if later.iter().any(|name| error.message.contains(&format!("name `{name}`"))) {
                    error.message.push_str("; a detail may use only those before it");
                }
            }
            detail.level =
                detail.reads.iter().filter_map(|name| levels.get(name)).map(|level| level + 1).max().unwrap_or(0);
            levels.insert(into.value.clone(), detail.level);
            names.insert(into.value);
            compiled.push(detail);
        }
        compiled
    }

    fn detail(&mut self, service: &str, detail: file::Detail, names: &BTreeSet<String>) -> Detail {
        let place = Some(detail.into.referenced);
        let input = self.optional_input(detail.input.as_ref(), names);
        let region = detail.region.as_ref().map(|text| self.template(text, names));
        let when = detail.when.as_ref().map(|text| self.expression(text, names));
        let pick = detail.pick.as_ref().map(|pick| {
            if let Some(together) = &pick.together {
                let list = detail.input.as_ref().and_then(|given| given.value.get(&together.value));
                if !input.expressions().is_empty() || !list.is_some_and(Value::is_array) {
                    let message =
                        format!("`together` needs an input without places, and the list `{}` in it", together.value);
                    self.error(Some(together.referenced), message);
                }
            }
            Pick {
                key: self.expression_of_any(&pick.key),
                of: self.template(&pick.of, names),
                many: pick.many,
                together: pick.together.as_ref().map(|text| text.value.clone()),
            }
        });
        let batch = detail.batch.as_ref().map(|batch| {
            if !(1..=BATCH_SIZE_MAX).contains(&batch.size.value) {
                self.error(Some(batch.size.referenced), format!("`size` is not between 1 and {BATCH_SIZE_MAX}"));
            }
            Batch {
                input: batch.input.value.clone(),
                of: self.template(&batch.of, names),
                size: batch.size.value.clamp(1, BATCH_SIZE_MAX),
                key: self.expression_of_any(&batch.key),
                many: batch.many,
                optional: batch.optional,
            }
        });
        if pick.is_some() && batch.is_some() {
            self.error(place, "a detail has `pick` or `batch`, not both".to_owned());
        }
        if (pick.is_some() || batch.is_some()) && detail.items.is_none() {
            self.error(place, "`pick` and `batch` need `items`".to_owned());
        }
        let prepare = detail.prepare.as_ref().map(|prepare| Prepare {
            operation: prepare.operation.value.clone(),
            input: self.optional_input(prepare.input.as_ref(), names),
            until: self.expression_of_any(&prepare.until),
        });
        let mut detail = Detail {
            service: detail.service.map_or_else(|| service.to_owned(), |service| service.value),
            operation: detail.operation.value,
            into: detail.into.value,
            input,
            region,
            when,
            items: detail.items.as_ref().map(|text| self.expression_of_any(text)),
            not_set: codes(&detail.not_set),
            gone: codes(&detail.gone),
            pick,
            batch,
            prepare,
            reads: BTreeSet::new(),
            level: 0,
            once_an_item: false,
        };
        detail.reads = reads_of(&detail);
        detail
    }

    fn members(&mut self, members: Vec<(Text, Text)>, names: &BTreeSet<String>) -> Vec<(String, Expression)> {
        let mut compiled = Vec::new();
        for (name, text) in members {
            let expression = self.expression(&text, names);
            compiled.push((name.value, expression));
        }
        compiled
    }

    fn redact(&mut self, definition: &mut Definition, paths: &[Text]) {
        for text in paths {
            let path = match RedactPath::parse(&text.value) {
                Ok(path) => path,
                Err(message) => {
                    self.error(Some(text.referenced), message);
                    continue;
                }
            };
            let members = match path.root {
                Root::Properties => &definition.properties,
                Root::Attributes => &definition.attributes,
            };
            let first = path.names.first().map_or("", String::as_str);
            if first != "*" && !members.iter().any(|(name, _)| name == first) {
                self.error(Some(text.referenced), format!("`{}`: the type has no `{first}` there", text.value));
            }
            definition.redact.push(path);
        }
    }

    fn permissions(&mut self, definition: &mut Definition, permissions: Vec<(Text, Vec<String>)>) {
        for (operation, actions) in permissions {
            if !definition.operations().iter().any(|(_, known)| *known == operation.value) {
                let message = format!("the file makes no call of `{}`", operation.value);
                self.error(Some(operation.referenced), message);
            }
            for action in &actions {
                if action.split(':').filter(|part| !part.is_empty()).count() != 2 {
                    let message = format!("`{action}` is not an IAM action such as s3:GetObject");
                    self.error(Some(operation.referenced), message);
                }
            }
            definition.permissions.push((operation.value, actions));
        }
    }

    fn optional_input(&mut self, input: Option<&Spanned<Value>>, names: &BTreeSet<String>) -> Input {
        match input {
            Some(input) => self.input(&input.value, input.referenced, names),
            None => Input::Object(Vec::new()),
        }
    }

    fn input(&mut self, value: &Value, location: Location, names: &BTreeSet<String>) -> Input {
        if !value.is_object() {
            self.error(Some(location), "an input is an object".to_owned());
        }
        match Input::parse(value) {
            Ok(input) => {
                for expression in input.expressions() {
                    self.known(expression, location, names);
                }
                input
            }
            Err(message) => {
                self.error(Some(location), message);
                Input::Object(Vec::new())
            }
        }
    }

    fn template(&mut self, text: &Text, names: &BTreeSet<String>) -> Template {
        match Template::parse(&text.value) {
            Ok(template) => {
                for expression in template.expressions() {
                    self.known(expression, text.referenced, names);
                }
                template
            }
            Err(message) => {
                self.error(Some(text.referenced), message);
                Template::Parts(Vec::new())
            }
        }
    }

    fn expression(&mut self, text: &Text, names: &BTreeSet<String>) -> Expression {
        let expression = self.expression_of_any(text);
        self.known(&expression, text.referenced, names);
        expression
    }

    /// An expression over an answer, or over an object whose names are not known here.
    fn expression_of_any(&mut self, text: &Text) -> Expression {
        match Expression::parse(&text.value) {
            Ok(expression) => expression,
            Err(message) => {
                self.error(Some(text.referenced), message);
                Expression::null()
            }
        }
    }

    fn known(&mut self, expression: &Expression, location: Location, names: &BTreeSet<String>) {
        for read in expression.reads() {
            let head = read.split('.').next().unwrap_or_default();
            if head == "*" || names.contains(head) {
                continue;
            }
            let known: Vec<_> = names.iter().map(String::as_str).collect();
            let message =
                format!("`{}` reads the unknown name `{head}`; known here: {}", expression.text(), known.join(", "));
            self.error(Some(location), message);
        }
    }

    fn error(&mut self, location: Option<Location>, message: String) {
        self.errors.push(LoadError::at(self.file, location, message));
    }
}

fn bad_name(into: &str, names: &BTreeSet<String>) -> Option<String> {
    if names.contains(into) || into == "parent" || into == "id" {
        return Some(format!("`{into}` already means something else"));
    }
    let mut letters = into.chars();
    let plain = letters.next().is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_')
        && letters.all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
    (!plain).then(|| format!("`{into}` is not a name of letters, digits and `_`"))
}

fn reads_of(detail: &Detail) -> BTreeSet<String> {
    let mut expressions = detail.input.expressions();
    expressions.extend(detail.when.as_ref());
    let templates = [
        detail.region.as_ref(),
        detail.pick.as_ref().map(|pick| &pick.of),
        detail.batch.as_ref().map(|batch| &batch.of),
    ];
    expressions.extend(templates.into_iter().flatten().flat_map(Template::expressions));
    if let Some(prepare) = &detail.prepare {
        expressions.extend(prepare.input.expressions());
    }
    expressions.into_iter().flat_map(|expression| expression.reads().iter().cloned()).collect()
}

/// Two items differ in their ids, so inputs that hold all that the ids are made of differ too.
fn mark_unique_inputs(definition: &mut Definition) {
    let id: Vec<&str> = definition.id.expressions().map(Expression::text).collect();
    for detail in &mut definition.details {
        let input: Vec<_> = detail.input.expressions().into_iter().map(Expression::text).collect();
        detail.once_an_item = !id.is_empty() && id.iter().all(|part| input.contains(part));
    }
}

fn codes(texts: &[String]) -> Vec<Code> {
    texts.iter().map(|text| Code::parse(text)).collect()
}

fn test(test: file::Test) -> Test {
    Test {
        line: test.name.referenced.line(),
        name: test.name.value,
        answers: test.answers.0.into_iter().map(|(operation, answer)| (operation.value, answer)).collect(),
        parents: test.parents,
        region: test.region,
        account: test.account,
        partition: test.partition,
        expect: match test.expect.value {
            Expect::Resources(resources) => Some(resources),
            Expect::Unlisted => None,
        },
    }
}
