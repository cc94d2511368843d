export { openController, type Controller, type ControllerOptions } from './controller.ts'
