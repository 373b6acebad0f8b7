// Single calls of the Management API, for SQL functions.

#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"
#include "fdw/management_function.hpp"

extern "C" {
#include "utils/json.h"
}

namespace supabase::pg {

namespace {

void Prepare(const Server *server, const char *id, const char *parameters, const char *body, FunctionObjects *objects) {
  Guard([&] { objects->call.call = BuildCall(FindCallable(id), parameters, body == nullptr ? "" : body); });
  CheckDestructive(server, objects->call.call.operation);
  OpenManagement(server, GetUserId(), &objects->management);
}

}  // namespace

const Server *ManagementServer(FunctionCallInfo fcinfo, int number) {
  return GetServerByName(PG_ARGISNULL(number) ? nullptr : NameStr(*PG_GETARG_NAME(number)), ServerType::kManagement);
}

char *RequiredText(FunctionCallInfo fcinfo, int number, const char *name) {
  if (PG_ARGISNULL(number)) {
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("argument \"%s\" must not be null", name)));
  }
  return ToUtf8(text_to_cstring(PG_GETARG_TEXT_PP(number)));
}

void AppendMember(StringInfo json, const char *name, const char *value) {
  if (json->len > 0) json->data[--json->len] = '\0';  // the brace
  appendStringInfoString(json, json->len > 0 ? ", " : "{");
  escape_json(json, name);
  appendStringInfoString(json, ": ");
  escape_json(json, value);
  appendStringInfoChar(json, '}');
}

const char *RefParameters(const char *ref) {
  StringInfoData json;
  initStringInfo(&json);
  AppendMember(&json, "ref", ref);
  return json.data;
}

void CallOperation(const Server *server, const char *id, const char *parameters, const char *body,
                   FunctionObjects *objects) {
  Prepare(server, id, parameters, body, objects);
  const ApiOperation *operation = objects->call.call.operation;
  WriteEntry *entry = nullptr;
  if (!operation->ReadsOnly()) {
    Guard([&] { objects->result = CallLabel(objects->call.call); });
    entry = EnterCall(server, ToServerLossy(objects->result.c_str()));
  }
  (void)SendCall(&objects->management, &objects->call, entry, 1, false);
  Guard([&] {
    CallObjects &call = objects->call;
    const Response &response = call.transfer->Result();
    objects->status = response.status;
    objects->result = CallResult(*operation, call.trace.label, response, call.answer != nullptr, call.text);
  });
}

void AskOperation(const Server *server, const char *id, const char *parameters, FunctionObjects *objects) {
  Prepare(server, id, parameters, nullptr, objects);
  CallObjects *call = &objects->call;
  const ManagementCaller *caller = &objects->management.caller;
  Guard([&] {
    Request request = caller->prototype;
    FillCall(&request, *call->call.operation, call->call.arguments);
    call->transfer = caller->Begin(*call->call.operation, call->call.arguments, std::move(request));
  });
  Await(caller->session, call->transfer.get());
  Guard([&] {
    Response &response = call->transfer->Result();
    call->trace = AnswerTrace(call->transfer->request(), response);
    caller->Ended(*call->call.operation, call->call.arguments, response);
    objects->status = response.status;
    objects->result.clear();
    if (IsSuccess(response)) objects->result = std::move(response.body);
  });
  TraceAnswer(call->trace);
}

void RaiseRefusal(const FunctionObjects *objects) {
  const CallObjects *call = &objects->call;
  Guard([&] { RaiseProblem(*call->call.operation, call->transfer->request(), call->transfer->Result()); });
  pg_unreachable();
}

}  // namespace supabase::pg
