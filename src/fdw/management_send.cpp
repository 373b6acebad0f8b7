#include "fdw/management_send.hpp"

#include "core/problem.hpp"

#include "fdw/bridge.hpp"
#include "fdw/connection.hpp"

namespace supabase::pg {

namespace {

bool IsServerError(int status) {
  return status >= 500 && status <= 599;
}

void Send(const ManagementObjects *management, CallObjects *objects) {
  Guard([&] {
    const WriteCall &call = objects->call;
    Request request = management->caller.prototype;
    FillCall(&request, *call.operation, call.arguments);
    if (call.body.has_value()) {
      SetCallBody(&request, *call.body, call.secrets, call.secret);
      request.headers.back().second = call.content_type;
    }
    objects->transfer = management->caller.Begin(*call.operation, call.arguments, std::move(request));
  });
}

// Takes the answer; throws what it says.
void TakeAnswer(const ManagementObjects *management, CallObjects *objects) {
  const WriteCall &call = objects->call;
  Response &response = objects->transfer->Result();
  const Request &request = objects->transfer->request();
  objects->trace = AnswerTrace(request, response);
  management->caller.Ended(*call.operation, call.arguments, response);
  const bool gone = call.operation->method == "DELETE" && response.retries > 0 && response.status == 404;
  if (!IsSuccess(response) && !gone) throw ManagementProblem(*call.operation, request, response);
  objects->answer.reset();
  objects->text.clear();
  if (gone || response.body.empty()) return;
  const bool json = response.Header("content-type").find("json") != std::string_view::npos;
  if (json && call.operation->answer != "binary" && call.operation->answer != "text") {
    objects->answer = std::make_unique<ManagementAnswer>(response, request.label);
  } else {
    objects->text = std::move(response.body);
  }
}

}  // namespace

Outcome SendCall(const ManagementObjects *management, CallObjects *objects, WriteEntry *entry, int rows,
                 bool may_be_unknown) {
  Session *session = management->caller.session;
  auto const count = static_cast<uint64_t>(rows);
  Send(management, objects);
  if (entry != nullptr) WriteBegins(entry, count);
  Await(session, objects->transfer.get());
  const Transfer *transfer = objects->transfer.get();
  bool const unknown = transfer->answered() ? IsServerError(transfer->status()) : transfer->may_have_run();
  if (entry != nullptr && !unknown) {
    WriteEnded(entry, count, transfer->answered() && transfer->status() < 300 ? count : 0);
  }
  if (unknown && may_be_unknown) return Outcome::kUnknown;
  Guard([&] { TakeAnswer(management, objects); });
  TraceAnswer(objects->trace);
  return Outcome::kAnswered;
}

}  // namespace supabase::pg
