#pragma once

#include "fdw/deparse.hpp"
#include "fdw/fold.hpp"

namespace supabase::pg {

// What the files of deparse share.

// What can stand on the remote's side of an operator: a column, or a JSON value inside one.
struct Operand {
  AttrNumber attno;
  Oid column_type;  // base type of what the remote compares: the column's, or that of the path's last step
  Oid type;         // base type of the expression here: a wider one where a cast that loses nothing stands between
  Oid collation;    // of the column
  List *path;       // steps, as in the tree
  bool path_text;
};

List *Refuse(DeparseContext *context, const char *reason);
List *RefuseStandIn(DeparseContext *context, AttrNumber attno);
List *MakeNode(int kind);
List *Negate(List *tree);

const Column *RemoteColumn(const DeparseContext *context, AttrNumber attno);

// deparse_operand.cpp
bool FindOperand(const DeparseContext *context, Expr *expr, Operand *operand);
// A leaf of this kind about the operand; `rest` follows the column.
List *MakeLeaf(const DeparseContext *context, const Operand *operand, int kind, List *rest);
// Whether the expression is evaluated here before the request: no column but of `outer`, nothing volatile, no subplan.
bool IsLocalValue(DeparseContext *context, Expr *expr);
int AddParameter(DeparseContext *context, Expr *expr);
// The comparison of an operand with a value, or NIL.
List *CompareValue(DeparseContext *context, const Operand *operand, Op op, Form form, Expr *value);
// The same with a constant that is not NULL.
List *CompareConstant(DeparseContext *context, const Operand *operand, Op op, Form form, Oid type, Datum value);
// Whether values of this type may be used; sets the reason.
bool ValueAllowed(DeparseContext *context, const Operand *operand, Form form, Oid type);

// deparse_operator.cpp
// What an operator means with the operand on its left.
struct Meaning {
  Op op;
  bool negated;
  Form form;
};
// Sets the reason when it is none that may be sent.
bool FindMeaning(DeparseContext *context, const Operand *operand, Oid opno, Oid collation, Oid value_type,
                 Meaning *meaning);
List *DeparseOperator(DeparseContext *context, OpExpr *clause);
List *DeparseDistinct(DeparseContext *context, DistinctExpr *clause);
List *DeparseFunction(DeparseContext *context, FuncExpr *clause);
List *DeparseRowCompare(DeparseContext *context, RowCompareExpr *clause);

// deparse_array.cpp
List *DeparseArray(DeparseContext *context, ScalarArrayOpExpr *clause);

}  // namespace supabase::pg
