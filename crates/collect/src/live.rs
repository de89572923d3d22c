//! A live account as an [`Api`].

use futures::future::BoxFuture;
use serde_json::Value;
use yagura_aws::client::{CallFailure, ReadClient};
use yagura_aws::model::Models;

use crate::collector::{Api, Call, Failure, Pages};

/// Asks AWS by the client that can only read.
pub struct Live {
    client: ReadClient,
    models: &'static Models,
}

impl Live {
    /// A live account behind `client`.
    pub fn new(client: ReadClient, models: &'static Models) -> Self {
        Self { client, models }
    }

    /// The client.
    pub fn client(&self) -> &ReadClient {
        &self.client
    }
}

impl Api for Live {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Value, Failure>> {
        Box::pin(async move {
            let answer = self.client.call(call.service, call.region, call.operation, call.input.clone()).await;
            answer.map_err(failure)
        })
    }

    fn pages<'a>(&'a self, call: Call<'a>, most: usize) -> BoxFuture<'a, Pages> {
        Box::pin(async move {
            let mut read = Pages::default();
            let pages = self.client.pages(call.service, call.region, call.operation, call.input.clone());
            let mut pages = match pages {
                Ok(pages) => pages,
                Err(error) => {
                    read.failure = Some(failure(error));
                    return read;
                }
            };
            while let Some(page) = pages.next().await {
                if read.pages.len() == most {
                    read.failure = Some(Failure::own(call, yagura_model::Cause::OverBudget, "too many pages"));
                    break;
                }
                match page {
                    Ok(page) => read.pages.push(page),
                    Err(error) => read.failure = Some(failure(error)),
                }
            }
            read
        })
    }

    fn iam_action(&self, service: &str, operation: &str) -> Option<String> {
        let service = self.models.service(service)?;
        service.operation(operation).map(|operation| operation.iam_action.to_string())
    }
}

fn failure(error: CallFailure) -> Failure {
    let (code, message) = (error.code.to_string(), error.message.to_string());
    Failure { look: Box::new(error.into_could_not_look()), code, message }
}
