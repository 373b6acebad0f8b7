// SQL-callable functions that send one request of their own: supabase_rpc, supabase_request; and supabase_disconnect.

#include "core/rpc.hpp"

#include "core/http.hpp"
#include "core/problem.hpp"
#include "core/request.hpp"

#include "fdw/auth.hpp"
#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/management.hpp"
#include "fdw/transaction.hpp"

extern "C" {
#include "utils/json.h"
#include "utils/jsonb.h"
#include "utils/tuplestore.h"
}

namespace supabase::pg {

extern "C" {
PGDLLEXPORT Datum supabase_rpc(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_request(PG_FUNCTION_ARGS);
PGDLLEXPORT Datum supabase_disconnect(PG_FUNCTION_ARGS);
PG_FUNCTION_INFO_V1(supabase_rpc);
PG_FUNCTION_INFO_V1(supabase_request);
PG_FUNCTION_INFO_V1(supabase_disconnect);
}

namespace {

struct RpcObjects {
  Credential credential;
  std::unique_ptr<FunctionCall> call;
};

struct RequestObjects {
  Credential credential;
  std::unique_ptr<Transfer> transfer;
  Request request;
  AnswerTrace trace;
  std::string result;  // JSON text
};

void RefuseNull(FunctionCallInfo fcinfo, int number, const char *name) {
  if (!PG_ARGISNULL(number)) return;
  ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"%s\" must not be null", name)));
}

char *TextArgument(FunctionCallInfo fcinfo, int number) {
  return ToUtf8(text_to_cstring(PG_GETARG_TEXT_PP(number)));
}

// UTF-8 text of a jsonb argument, or `otherwise` for NULL.
const char *JsonArgument(FunctionCallInfo fcinfo, int number, const char *otherwise) {
  if (PG_ARGISNULL(number)) return otherwise;
  Jsonb *value = PG_GETARG_JSONB_P(number);
  return ToUtf8(JsonbToCString(nullptr, &value->root, static_cast<int>(VARSIZE(value))));
}

// A request to the Management API: reads only, since what changes something there has tables and functions that know
// what is destructive.
void OpenManagement(const Server *server, const char *method, Credential *credential) {
  if (pg_strcasecmp(method, "GET") != 0 && pg_strcasecmp(method, "HEAD") != 0) {
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("server \"%s\" of type \"management\" takes only GET and HEAD here", server->name)));
  }
  CheckHostAllowed(server);
  ResolveManagementCredential(server, GetUserId(), credential);
}

// The server of argument 0, ready to be asked: USAGE, host and credential of the acting role are checked.
Server *OpenServer(FunctionCallInfo fcinfo, Credential *credential) {
  RefuseNull(fcinfo, 0, "server");
  Server *server = GetServerByName(NameStr(*PG_GETARG_NAME(0)), ServerType::kProject);
  CheckHostAllowed(server);
  ResolveCredential(server, GetUserId(), server->require_user_jwt ? Actor::kRequiredUser : Actor::kUser, credential);
  return server;
}

Datum ToJsonb(const char *data, size_t size) {
  return DirectFunctionCall1(jsonb_in, CStringGetDatum(ToServer(data, size)));
}

ResultShape ShapeArgument(FunctionCallInfo fcinfo, int number) {
  RefuseNull(fcinfo, number, "result");
  const char *shape = text_to_cstring(PG_GETARG_TEXT_PP(number));
  if (strcmp(shape, "auto") == 0) return ResultShape::kAuto;
  if (strcmp(shape, "set") == 0) return ResultShape::kSet;
  if (strcmp(shape, "value") == 0) return ResultShape::kValue;
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid value for argument \"result\""),
                  errhint("Valid values are: auto, set, value.")));
  pg_unreachable();
}

void StartCall(FunctionCallInfo fcinfo, RpcObjects *objects, const Server *server, Session *session) {
  const char *function = TextArgument(fcinfo, 1);
  const char *arguments = JsonArgument(fcinfo, 2, "{}");
  const char *schema = PG_ARGISNULL(3) ? ToUtf8(server->schema_name) : TextArgument(fcinfo, 3);
  ResultShape const shape = ShapeArgument(fcinfo, 4);
  bool const allow_private = AllowPrivate(server);
  Guard([&] {
    FunctionCall::Options options;
    FillRequest(&options.prototype, server, schema, allow_private);
    options.prototype.headers.resize(1);  // without the profile, which depends on the method
    options.prototype.label = server->rest_path;
    AddCredential(objects->credential, &options.prototype);
    options.schema = schema;
    options.function = function;
    options.arguments = arguments;
    options.shape = shape;
    options.expires_at = objects->credential.expires_at;
    objects->call = std::make_unique<FunctionCall>(session, std::move(options));
  });
}

// What became of a call: with a refusal PostgREST's transaction was rolled back; without an answer nothing is known if
// the request can have arrived.
void CallEnded(WriteEntry *entry, const Transfer *transfer) {
  if (transfer->answered()) {
    WriteEnded(entry, 0, transfer->status() < 400 ? 1 : 0);
  } else if (!transfer->may_have_run()) {
    WriteEnded(entry, 0, 0);
  }
}

void StoreRows(const FunctionCall *call, ReturnSetInfo *result) {
  MemoryContext const context = AllocSetContextCreate(CurrentMemoryContext, "supabase_fdw row", ALLOCSET_SMALL_SIZES);
  MemoryContext const old = MemoryContextSwitchTo(context);
  for (const std::string_view &row : call->rows()) {
    Datum value = ToJsonb(row.data(), row.size());
    bool isnull = false;
    tuplestore_putvalues(result->setResult, result->setDesc, &value, &isnull);
    MemoryContextReset(context);
    CHECK_FOR_INTERRUPTS();
  }
  MemoryContextSwitchTo(old);
  MemoryContextDelete(context);
}

}  // namespace

// supabase_rpc(server name, function text, args jsonb, schema text, result text) RETURNS SETOF jsonb
Datum supabase_rpc(PG_FUNCTION_ARGS) {
  InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
  auto *result = reinterpret_cast<ReturnSetInfo *>(fcinfo->resultinfo);
  RefuseNull(fcinfo, 1, "function");
  auto *objects = Own<RpcObjects>(CurrentMemoryContext);
  Server *server = OpenServer(fcinfo, &objects->credential);
  Session *session = GetSession();
  WriteEntry *entry =
      EnterCall(server, psprintf("POST %s/rpc/%s", server->rest_path, text_to_cstring(PG_GETARG_TEXT_PP(1))));
  StartCall(fcinfo, objects, server, session);
  FunctionCall *call = objects->call.get();
  WriteBegins(entry, 0);
  for (bool first = true;; first = false) {
    const Transfer *transfer = Guard([&] { return call->Waiting(); });
    if (transfer == nullptr) break;
    Await(session, transfer);
    if (first) CallEnded(entry, transfer);
    Guard([&] { call->Take(); });
    TraceAnswer(call->last());
    StoreRows(call, result);
  }
  return Datum(0);
}

// supabase_request(server name, method text, path text, query jsonb, body jsonb) RETURNS jsonb
Datum supabase_request(PG_FUNCTION_ARGS) {
  RefuseNull(fcinfo, 1, "method");
  RefuseNull(fcinfo, 2, "path");
  auto *objects = Own<RequestObjects>(CurrentMemoryContext);
  RefuseNull(fcinfo, 0, "server");
  const char *method = TextArgument(fcinfo, 1);
  Server *server = GetServerByName(NameStr(*PG_GETARG_NAME(0)), ServerType::kAny);
  if (server->management) {
    OpenManagement(server, method, &objects->credential);
  } else {
    server = OpenServer(fcinfo, &objects->credential);
  }
  const char *path = TextArgument(fcinfo, 2);
  const char *query = JsonArgument(fcinfo, 3, "{}");
  const char *body = JsonArgument(fcinfo, 4, nullptr);
  const char *schema = ToUtf8(server->schema_name);
  bool const allow_private = AllowPrivate(server);
  Session *session = GetSession();
  bool const writes = pg_strcasecmp(method, "GET") != 0 && pg_strcasecmp(method, "HEAD") != 0;
  Guard([&] {
    if (server->management) {
      FillManagementRequest(&objects->request, server, allow_private);
    } else {
      FillRequest(&objects->request, server, schema, allow_private);
    }
    SetFreeRequest(&objects->request, {method, path, query, body, server->management ? nullptr : schema,
                                       server->management ? "" : server->rest_path});
    AddCredential(objects->credential, &objects->request);
  });
  WriteEntry *entry = writes ? EnterCall(server, psprintf("%s %s%s", method, server->rest_path, path)) : nullptr;
  if (entry != nullptr) WriteBegins(entry, 0);
  Guard([&] { objects->transfer = session->Send(std::move(objects->request)); });
  Await(session, objects->transfer.get());
  if (entry != nullptr) CallEnded(entry, objects->transfer.get());
  Guard([&] {
    Response &response = objects->transfer->Result();
    objects->trace = AnswerTrace(objects->transfer->request(), response);
    objects->result = FreeResult(objects->transfer->request(), response);
    objects->transfer.reset();
  });
  TraceAnswer(objects->trace);
  if (objects->result.empty()) PG_RETURN_NULL();
  PG_RETURN_DATUM(ToJsonb(objects->result.c_str(), objects->result.size()));
}

// supabase_disconnect(server name) RETURNS boolean: connections are shared by all servers, and so is their end.
Datum supabase_disconnect(PG_FUNCTION_ARGS) {
  if (!PG_ARGISNULL(0)) (void)GetServerByName(NameStr(*PG_GETARG_NAME(0)), ServerType::kAny);
  Session *session = GetSession();
  bool const connected = session->connected();
  session->CloseIdle();
  PG_RETURN_BOOL(connected);
}

}  // namespace supabase::pg
