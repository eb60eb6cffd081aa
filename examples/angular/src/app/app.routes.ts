import type { Routes } from "@angular/router";
import { RunPage } from "./run-page";
import { RunsPage } from "./runs-page";

const TITLE = "Fine-tuning console";

export const routes: Routes = [
  {
    path: "",
    component: RunsPage,
    title: TITLE,
    children: [
      {
        path: "runs/:runId",
        component: RunPage,
        title: ({ params }) => `Run ${params["runId"]} · ${TITLE}`,
      },
    ],
  },
  { path: "**", redirectTo: "" },
];
