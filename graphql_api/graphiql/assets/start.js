// Starts GraphiQL on this gateway. Everything it needs comes from /graphiql/.
"use strict";

const FIRST_QUERY = `# Baluarte's GraphQL API. Sign in first:
#
#   mutation {
#     login(input: { email: "…", password: "…" }) {
#       accessToken
#     }
#   }
#
# then put the token into the Headers pane below:
#
#   { "Authorization": "Bearer <accessToken>" }
#
# The symbol at the top left opens the documentation.

query Overview {
  me {
    name
    account {
      balance { amount currency }
      balanceAsOf
    }
    transactions(first: 5) {
      edges {
        node {
          type
          status
          amount { amount currency }
          sender { name }
          receiver { name }
          createdAt
        }
      }
    }
  }
}
`;

const root = ReactDOM.createRoot(document.getElementById("graphiql"));
root.render(
  React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: "/graphql" }),
    defaultQuery: FIRST_QUERY,
    defaultEditorToolsVisibility: "headers",
    shouldPersistHeaders: false, // they hold the access token
  }),
);
