#include <algorithm>
#include <array>

#include "autodiff/elementwise.hpp"
#include "models/distributions/categorical.hpp"
#include "models/distributions/gamma.hpp"
#include "models/distributions/joined.hpp"
#include "models/distributions/normal.hpp"
#include "models/distributions/real_laws.hpp"
#include "models/distributions/sphere.hpp"

namespace vaezoo {
namespace {

struct ClosedForm {
  const std::type_info& q;
  const std::type_info& p;
  Var (*total)(const Distribution& q, const Distribution& p);
  Var (*per_dimension)(const Distribution& q, const Distribution& p);
};

/// From a function kl(Q, P).
template <class Q, class P>
ClosedForm total() {
  return {typeid(Q), typeid(P),
          [](const Distribution& q, const Distribution& p) { return kl(static_cast<const Q&>(q), static_cast<const P&>(p)); }, nullptr};
}

/// From functions kl(Q, P) and kl_per_dimension(Q, P).
template <class Q, class P>
ClosedForm per_dimension() {
  ClosedForm form = total<Q, P>();
  form.per_dimension = [](const Distribution& q, const Distribution& p) {
    return kl_per_dimension(static_cast<const Q&>(q), static_cast<const P&>(p));
  };
  return form;
}

const ClosedForm* find(const std::type_info& q, const std::type_info& p) {
  static const std::array table{
      per_dimension<DiagonalNormal, StandardNormal>(),
      per_dimension<DiagonalNormal, DiagonalNormal>(),
      total<FullNormal, StandardNormal>(),
      per_dimension<Laplace, Laplace>(),
      per_dimension<Gamma, Gamma>(),
      per_dimension<Beta, Beta>(),
      total<Dirichlet, Dirichlet>(),
      total<Joined, Joined>(),
      total<VonMisesFisher, UniformSphere>(),
      total<PowerSpherical, UniformSphere>(),
      total<OneHotCategorical, OneHotCategorical>(),
      total<RelaxedOneHot, OneHotCategorical>(),
  };
  const auto* const found = std::ranges::find_if(table, [&](const ClosedForm& form) { return form.q == q && form.p == p; });
  return found == table.end() ? nullptr : found;
}

}  // namespace

Var kl(const Distribution& q, const Distribution& p, const Draw& draw) {
  const ClosedForm* const form = find(typeid(q), typeid(p));
  return form != nullptr ? form->total(q, p) : log_prob(q, draw) - p.log_prob(draw.value);
}

Var kl_per_dimension(const Distribution& q, const Distribution& p) {
  const ClosedForm* const form = find(typeid(q), typeid(p));
  return form != nullptr && form->per_dimension != nullptr ? form->per_dimension(q, p) : Var();
}

bool has_closed_form_kl(const std::type_info& q, const std::type_info& p) { return find(q, p) != nullptr; }
bool has_kl_per_dimension(const std::type_info& q, const std::type_info& p) {
  const ClosedForm* const form = find(q, p);
  return form != nullptr && form->per_dimension != nullptr;
}

}  // namespace vaezoo
