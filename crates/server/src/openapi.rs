//! The OpenAPI document, made from the table of routes.

use std::collections::BTreeMap;

use utoipa::openapi::path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder, RefOr,
    Required, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

use crate::codes::CODES;
use crate::problem::Document;
use crate::routes::{Route, table};

/// Declared fields by name: their types are the settings' business, so the document leaves them open.
#[derive(ToSchema)]
#[schema(value_type = Object)]
#[allow(dead_code, reason = "documents what `wire::fields` reads and writes")]
pub(crate) struct FieldsBody(serde_json::Value);

/// What the document says of a route.
pub struct Operation {
    summary: &'static str,
    description: Option<&'static str>,
    parameters: Vec<Parameter>,
    body: Option<(Described, &'static str)>,
    replies: Vec<(u16, Option<Described>, &'static str)>,
}

struct Described {
    schema: RefOr<Schema>,
    below: Vec<(String, RefOr<Schema>)>,
}

impl Described {
    fn of<T: PartialSchema + Below>() -> Self {
        Self { schema: T::schema(), below: T::below() }
    }
}

/// The named schemas a schema refers to.
trait Below {
    fn below() -> Vec<(String, RefOr<Schema>)>;
}

impl<T: ToSchema> Below for T {
    fn below() -> Vec<(String, RefOr<Schema>)> {
        let mut below = Vec::new();
        T::schemas(&mut below);
        below
    }
}

impl Operation {
    pub(crate) fn new(summary: &'static str) -> Self {
        Self { summary, description: None, parameters: Vec::new(), body: None, replies: Vec::new() }
    }

    pub(crate) fn describe(mut self, description: &'static str) -> Self {
        self.description = Some(description);
        self
    }

    pub(crate) fn path_parameter(self, name: &'static str, description: &'static str) -> Self {
        self.parameter(name, description, ParameterIn::Path, Required::True)
    }

    pub(crate) fn query_parameter(self, name: &'static str, description: &'static str) -> Self {
        self.parameter(name, description, ParameterIn::Query, Required::False)
    }

    fn parameter(mut self, name: &str, description: &str, place: ParameterIn, required: Required) -> Self {
        let text = Schema::Object(ObjectBuilder::new().schema_type(Type::String).build());
        let parameter = ParameterBuilder::new().name(name).parameter_in(place).required(required);
        self.parameters.push(parameter.description(Some(description)).schema(Some(text)).build());
        self
    }

    pub(crate) fn body<T: ToSchema>(mut self, description: &'static str) -> Self {
        self.body = Some((Described::of::<T>(), description));
        self
    }

    pub(crate) fn reply<T: ToSchema>(mut self, status: u16, description: &'static str) -> Self {
        self.replies.push((status, Some(Described::of::<T>()), description));
        self
    }

    pub(crate) fn text_reply(mut self, status: u16, description: &'static str) -> Self {
        self.replies.push((status, None, description));
        self
    }
}

/// The document of every route, with every error code.
pub fn openapi() -> OpenApi {
    let mut schemas: BTreeMap<String, RefOr<Schema>> = BTreeMap::new();
    schemas.insert("Problem".to_owned(), Document::schema());
    let mut paths = PathsBuilder::new();
    for route in table() {
        let (method, path) = (route.method.clone(), route.path);
        paths = paths.path(path, PathItem::new(method, operation(route, &mut schemas)));
    }
    let key = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let components = ComponentsBuilder::new().schemas_from_iter(schemas).security_scheme("key", key).build();
    let info = InfoBuilder::new()
        .title("Headwater")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(description()))
        .build();
    OpenApiBuilder::new().info(info).paths(paths.build()).components(Some(components)).build()
}

fn operation(
    route: Route,
    schemas: &mut BTreeMap<String, RefOr<Schema>>,
) -> utoipa::openapi::path::Operation {
    let mut named = |described: Described| {
        schemas.extend(described.below);
        described.schema
    };
    let documented = route.operation;
    let mut operation = OperationBuilder::new()
        .summary(Some(documented.summary))
        .description(documented.description)
        .parameters((!documented.parameters.is_empty()).then_some(documented.parameters));
    if let Some((body, description)) = documented.body {
        let body = RequestBodyBuilder::new()
            .description(Some(description))
            .content("application/json", Content::new(Some(named(body))))
            .required(Some(Required::True));
        operation = operation.request_body(Some(body.build()));
    }
    for (status, body, description) in documented.replies {
        let reply = ResponseBuilder::new().description(description);
        let reply = match body {
            Some(body) => reply.content("application/json", Content::new(Some(named(body)))),
            None => reply.content("text/plain", Content::new(None::<RefOr<Schema>>)),
        };
        operation = operation.response(status.to_string(), reply.build());
    }
    let problem = utoipa::openapi::Ref::from_schema_name("Problem");
    let refusal = ResponseBuilder::new()
        .description("A refusal, with a code from the list above")
        .content("application/problem+json", Content::new(Some(RefOr::<Schema>::Ref(problem))));
    operation = operation.response("default", refusal.build());
    if let Some(scope) = route.scope {
        operation = operation.security(SecurityRequirement::new("key", [scope.as_str()]));
    }
    operation.build()
}

fn description() -> String {
    let mut text = String::from(
        "Real-time recommendations. Errors are `application/problem+json` (RFC 9457) with one of these codes:\n\n\
         | code | status | meaning |\n|---|---|---|\n",
    );
    for code in CODES {
        text.push_str(&format!("| `{}` | {} | {} |\n", code.code, code.status, code.meaning));
    }
    text
}
